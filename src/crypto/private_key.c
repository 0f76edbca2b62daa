/* crypto/private_key.c - key pairs that sign: made, read from a file or a provider, kept. */
#include "private_key_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/store.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secret.h"
#include "key_inside.h"
#include "ossl.h"

enum { PEM_MAX = 16384 };

struct private_key {
    EVP_PKEY *key;
    struct public_key *public;
};

void
private_key_free(struct private_key *key)
{
    if (key == NULL)
        return;
    EVP_PKEY_free(key->key); /* wipes the private half */
    public_key_free(key->public);
    free(key);
}

/* Takes the reference over. */
static enum status
pair_of(EVP_PKEY *evp, struct private_key **out, struct fault *fault)
{
    struct private_key *key = calloc(1, sizeof *key);
    enum status status = key == NULL || EVP_PKEY_up_ref(evp) != 1 ? STATUS_MEMORY : STATUS_OK;

    if (status != STATUS_OK) {
        EVP_PKEY_free(evp);
        free(key);
        return status;
    }
    key->key = evp;
    status = key_from_evp(evp, &key->public, fault);
    if (status != STATUS_OK)
        private_key_free(key);
    else
        *out = key;
    return status;
}

enum status
private_key_generate(enum sign_alg alg, struct private_key **out)
{
    EVP_PKEY *evp = NULL;

    switch (alg) {
    case ALG_ES256:
        evp = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "prime256v1");
        break;
    case ALG_EDDSA:
        evp = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
        break;
    case ALG_RS256:
    case ALG_PS256:
        evp = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)RSA_BITS_MIN);
        break;
    case ALG_NONE:
        return STATUS_INVALID;
    }
    return evp == NULL ? ossl_failed() : pair_of(evp, out, NULL);
}

/* --- files ------------------------------------------------------------------- */

/* A key that others could read or swap proves nothing. */
static enum status
check_file(int file, const char *path, struct fault *fault)
{
    struct stat about;

    if (fstat(file, &about) != 0)
        return fault_set(fault, STATUS_IO, "cannot look at %s: %s", path, strerror(errno));
    if (!S_ISREG(about.st_mode))
        return fault_set(fault, STATUS_DENIED, "%s is no ordinary file", path);
    if (about.st_uid != geteuid())
        return fault_set(fault, STATUS_DENIED, "the key file %s belongs to another user (%u)", path,
                         (unsigned)about.st_uid);
    if ((about.st_mode & 077) != 0)
        return fault_set(fault, STATUS_DENIED,
                         "the key file %s has mode %04o, so others may read it: chmod 600 %s", path,
                         (unsigned)about.st_mode & 07777, path);
    return STATUS_OK;
}

static enum status
read_file(const char *path, struct buffer *out, struct fault *fault)
{
    /* Not held up by a pipe that nobody writes to. */
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    enum status status;
    ssize_t got = 1;

    if (file < 0)
        return fault_set(fault, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO,
                         "cannot read the key file %s: %s", path, strerror(errno));
    status = check_file(file, path, fault);
    while (status == STATUS_OK && got > 0) {
        char *room = buffer_room(out, 4096);

        if (room == NULL) {
            status = fault_set(fault, buffer_status(out), "%s is too long for a key file", path);
            break;
        }
        got = read(file, room, 4096);
        if (got > 0)
            buffer_added(out, (size_t)got);
        else if (got < 0)
            status = fault_set(fault, STATUS_IO, "cannot read the key file %s: %s", path,
                               strerror(errno));
    }
    close(file);
    return status;
}

static enum status
read_pem_file(const char *path, struct private_key **out, struct fault *fault)
{
    struct buffer text = BUFFER_LIMITED(PEM_MAX);
    enum status status = read_file(path, &text, fault);
    EVP_PKEY *evp = NULL;

    if (status == STATUS_OK && text.size > 0) {
        BIO *in = BIO_new_mem_buf(text.bytes, (int)text.size);
        evp = in == NULL ? NULL : PEM_read_bio_PrivateKey(in, NULL, ossl_no_passphrase, NULL);
        BIO_free(in);
    }
    buffer_wipe_free(&text);
    if (status != STATUS_OK)
        return status;
    if (evp == NULL) {
        (void)ossl_failed();
        return fault_set(fault, STATUS_INVALID,
                         "%s holds no private key in PEM without a passphrase: make one with "
                         "writ key new",
                         path);
    }
    return pair_of(evp, out, fault);
}

/* --- what a provider holds ------------------------------------------------------ */

static EVP_PKEY *
load_from_store(const char *uri)
{
    OSSL_STORE_CTX *store = OSSL_STORE_open(uri, NULL, NULL, NULL, NULL);
    EVP_PKEY *evp = NULL;

    if (store != NULL)
        (void)OSSL_STORE_expect(store, OSSL_STORE_INFO_PKEY);
    while (store != NULL && evp == NULL && !OSSL_STORE_eof(store)) {
        OSSL_STORE_INFO *info = OSSL_STORE_load(store);

        if (info == NULL)
            break;
        evp = OSSL_STORE_INFO_get1_PKEY(info);
        OSSL_STORE_INFO_free(info);
    }
    if (store != NULL)
        OSSL_STORE_close(store);
    return evp;
}

static enum status
read_uri(const char *uri, struct private_key **out, struct fault *fault)
{
    EVP_PKEY *evp = load_from_store(uri);

    if (evp != NULL)
        return pair_of(evp, out, fault);
    (void)ossl_failed();
    return fault_set(
        fault, STATUS_NOT_FOUND,
        "OpenSSL finds no private key at %.200s: is the provider for it (pkcs11, tpm2) "
        "installed and activated in openssl.cnf?",
        uri);
}

/* "pkcs11:…", "handle:0x81000001": a scheme before the first slash. */
static bool
is_uri(const char *where)
{
    size_t scheme = strcspn(where, ":/");

    return where[scheme] == ':' && scheme > 1;
}

enum status
private_key_read(const char *where, struct private_key **out, struct fault *fault)
{
    if (strncmp(where, "file:", 5) == 0)
        return read_pem_file(where + 5, out, fault);
    return is_uri(where) ? read_uri(where, out, fault) : read_pem_file(where, out, fault);
}

static bool
write_all(int file, struct slice bytes)
{
    while (bytes.size > 0) {
        ssize_t wrote = write(file, bytes.at, bytes.size);

        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return false;
        bytes = slice_from(bytes, (size_t)wrote);
    }
    return true;
}

static enum status
write_new(const char *path, struct slice text, struct fault *fault)
{
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool fine;

    if (file < 0)
        return errno == EEXIST
                   ? fault_set(fault, STATUS_CONFLICT,
                               "%s is there already and stays as it is: name another file", path)
                   : fault_set(fault, STATUS_IO, "cannot write %s: %s", path, strerror(errno));
    fine = write_all(file, text) && fsync(file) == 0;
    fine = close(file) == 0 && fine;
    if (fine)
        return STATUS_OK;
    fault_set(fault, STATUS_IO, "cannot write %s: %s", path, strerror(errno));
    unlink(path);
    return STATUS_IO;
}

enum status
private_key_write(const struct private_key *key, const char *path, struct fault *fault)
{
    BIO *out = BIO_new(BIO_s_secmem());
    enum status status = STATUS_CRYPTO;
    char *text;
    long size;

    if (out != NULL &&
        PEM_write_bio_PKCS8PrivateKey(out, key->key, NULL, NULL, 0, NULL, NULL) == 1 &&
        (size = BIO_get_mem_data(out, &text)) > 0)
        status = write_new(path, slice_of(text, (size_t)size), fault);
    else
        (void)ossl_failed();
    BIO_free(out); /* secure memory is wiped */
    return status;
}

enum status
private_key_encode(const struct private_key *key, struct buffer *out)
{
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key->key);
    unsigned char *der = NULL;
    int size = info == NULL ? -1 : i2d_PKCS8_PRIV_KEY_INFO(info, &der);

    PKCS8_PRIV_KEY_INFO_free(info);
    if (size <= 0)
        return ossl_failed();
    put_bytes(out, der, (size_t)size);
    OPENSSL_clear_free(der, (size_t)size);
    return buffer_status(out);
}

enum status
private_key_decode(struct slice der, struct private_key **out)
{
    const unsigned char *at = (const unsigned char *)der.at;
    PKCS8_PRIV_KEY_INFO *info =
        der.size > PEM_MAX ? NULL : d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)der.size);
    bool whole = info != NULL && at == (const unsigned char *)der.at + der.size;
    EVP_PKEY *evp = whole ? EVP_PKCS82PKEY(info) : NULL;

    PKCS8_PRIV_KEY_INFO_free(info);
    if (evp == NULL) {
        (void)ossl_failed();
        return STATUS_INVALID;
    }
    return pair_of(evp, out, NULL);
}

const struct public_key *
private_key_public(const struct private_key *key)
{
    return key->public;
}

/* --- signing ---------------------------------------------------------------------- */

bool
es256_from_der(const uint8_t *der, size_t size, uint8_t raw[ES256_SIZE])
{
    const unsigned char *at = der;
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &at, (long)size);
    bool fine = signature != NULL &&
                BN_bn2binpad(ECDSA_SIG_get0_r(signature), raw, EC_COORDINATE) == EC_COORDINATE &&
                BN_bn2binpad(ECDSA_SIG_get0_s(signature), raw + EC_COORDINATE, EC_COORDINATE) ==
                    EC_COORDINATE;

    ECDSA_SIG_free(signature);
    return fine;
}

static void
put_signature(enum sign_alg alg, uint8_t *signature, size_t size, struct buffer *out)
{
    uint8_t raw[ES256_SIZE];

    if (alg != ALG_ES256)
        put_bytes(out, signature, size);
    else if (es256_from_der(signature, size, raw))
        put_bytes(out, raw, sizeof raw);
    else
        out->status = STATUS_CRYPTO;
}

enum status
private_key_sign(const struct private_key *key, enum sign_alg alg, struct slice message,
                 struct buffer *out)
{
    /* A context for each call: the key may be shared, a context may not. */
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *parameters = NULL;
    uint8_t signature[SIGNATURE_MAX];
    size_t size = sizeof signature;
    bool fine;

    if (!public_key_takes(key->public, alg)) {
        EVP_MD_CTX_free(context);
        return STATUS_INVALID;
    }
    fine = context != NULL &&
           EVP_DigestSignInit_ex(context, &parameters, alg == ALG_EDDSA ? NULL : "SHA256", NULL,
                                 NULL, key->key, NULL) == 1 &&
           (alg != ALG_PS256 || ps256_prepare(parameters)) &&
           EVP_DigestSign(context, signature, &size,
                          (const unsigned char *)(message.size == 0 ? "" : message.at),
                          message.size) == 1;
    EVP_MD_CTX_free(context);
    if (!fine)
        return ossl_failed();
    put_signature(alg, signature, size, out);
    return buffer_status(out);
}

EVP_PKEY *
private_key_evp(const struct private_key *key)
{
    return key->key;
}
