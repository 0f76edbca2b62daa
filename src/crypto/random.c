/* crypto/random.c - unpredictable bytes from OpenSSL's generator (per thread,
 * seeded by the kernel, safe across fork). */
#include "crypto/random.h"

#include <openssl/rand.h>

#include "ossl.h"

enum status
random_bytes(void *out, size_t size)
{
    return RAND_bytes_ex(NULL, out, size, 0) == 1 ? STATUS_OK : ossl_failed();
}
