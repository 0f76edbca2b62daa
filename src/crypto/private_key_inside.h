/* crypto/private_key_inside.h - a key pair as the files of this room see it. */
#ifndef WRIT_CRYPTO_PRIVATE_KEY_INSIDE_H
#define WRIT_CRYPTO_PRIVATE_KEY_INSIDE_H

#include <openssl/evp.h>

#include "crypto/private_key.h"

EVP_PKEY *private_key_evp(const struct private_key *key); /* borrowed */

#endif
