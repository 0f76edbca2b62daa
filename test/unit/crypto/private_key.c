/* crypto/private_key - key files that are read and those that are not, and what is kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/private_key.h"

static char folder[] = "/tmp/writ-key-XXXXXX";
static const struct slice message = { "message", 7 };

static int
folder_make(void **state)
{
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int
folder_remove(void **state)
{
    return rmdir(folder);
}

static const char *
path(void)
{
    static char text[64];

    snprintf(text, sizeof text, "%s/key", folder);
    return text;
}

static void
write_file(const void *bytes, size_t size)
{
    int file = open(path(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(file >= 0);
    assert_int_equal(write(file, bytes, size), (ssize_t)size);
    close(file);
}

/* Takes the key over; a passphrase or NULL. */
static void
write_pem(EVP_PKEY *evp, const char *passphrase)
{
    BIO *out = BIO_new(BIO_s_mem());
    char *text;
    long size;

    assert_non_null(evp);
    assert_int_equal(PEM_write_bio_PKCS8PrivateKey(
                         out, evp, passphrase == NULL ? NULL : EVP_aes_128_cbc(), passphrase,
                         passphrase == NULL ? 0 : (int)strlen(passphrase), NULL, NULL),
                     1);
    size = BIO_get_mem_data(out, &text);
    write_file(text, (size_t)size);
    BIO_free(out);
    EVP_PKEY_free(evp);
}

/* Refused with this status, and in words that hold said. */
static void
refuses(const char *where, enum status status, const char *said)
{
    struct private_key *key = NULL;
    struct fault fault = { 0 };

    assert_int_equal(private_key_read(where, &key, &fault), status);
    assert_null(key);
    if (strstr(fault.text, said) == NULL)
        fail_msg("not in these words: %s", fault.text);
}

static void
signs_for(const struct private_key *key, const struct public_key *public, enum sign_alg alg)
{
    struct buffer signature = { 0 };

    assert_int_equal(private_key_sign(key, alg, message, &signature), STATUS_OK);
    assert_int_equal(public_key_verify(public, alg, message, buffer_slice(&signature)), STATUS_OK);
    buffer_free(&signature);
}

static const enum sign_alg algs[] = { ALG_ES256, ALG_EDDSA, ALG_RS256, ALG_PS256 };

static void
generated(void **state)
{
    struct private_key *key = NULL, *second = NULL;

    assert_int_equal(private_key_generate(ALG_NONE, &key), STATUS_INVALID);
    for (size_t i = 0; i < sizeof algs / sizeof algs[0]; i++) {
        assert_int_equal(private_key_generate(algs[i], &key), STATUS_OK);
        assert_int_equal(private_key_generate(algs[i], &second), STATUS_OK);
        signs_for(key, private_key_public(key), algs[i]);
        assert_memory_not_equal(public_key_thumbprint(private_key_public(key)),
                                public_key_thumbprint(private_key_public(second)), THUMBPRINT_SIZE);
        private_key_free(key);
        private_key_free(second);
    }
}

/* Nothing is appended by an algorithm that the key does not take. */
static void
signs_what_it_takes(void **state)
{
    struct private_key *key = NULL;
    struct buffer out = { 0 };

    assert_int_equal(private_key_generate(ALG_EDDSA, &key), STATUS_OK);
    put_text(&out, "x");
    assert_int_equal(private_key_sign(key, ALG_ES256, message, &out), STATUS_INVALID);
    assert_int_equal(private_key_sign(key, ALG_RS256, message, &out), STATUS_INVALID);
    assert_int_equal(private_key_sign(key, ALG_NONE, message, &out), STATUS_INVALID);
    assert_int_equal(out.size, 1);
    assert_int_equal(private_key_sign(key, ALG_EDDSA, message, &out), STATUS_OK);
    assert_int_equal(out.size, 65);
    buffer_free(&out);
    private_key_free(key);
}

static void
kept(void **state)
{
    for (size_t i = 0; i < sizeof algs / sizeof algs[0]; i++) {
        struct private_key *key = NULL, *again = NULL;
        struct buffer der = { 0 };
        struct slice whole;

        assert_int_equal(private_key_generate(algs[i], &key), STATUS_OK);
        assert_int_equal(private_key_encode(key, &der), STATUS_OK);
        whole = buffer_slice(&der);
        assert_int_equal(private_key_decode(whole, &again), STATUS_OK);
        signs_for(again, private_key_public(key), algs[i]);
        private_key_free(again);
        again = NULL;
        assert_int_equal(private_key_decode(slice_first(whole, whole.size - 1), &again),
                         STATUS_INVALID);
        assert_int_equal(private_key_decode((struct slice){ 0 }, &again), STATUS_INVALID);
        put_u8(&der, 0);
        assert_int_equal(private_key_decode(buffer_slice(&der), &again), STATUS_INVALID);
        assert_null(again);
        buffer_wipe_free(&der);
        private_key_free(key);
    }
}

static void
files(void **state)
{
    for (size_t i = 0; i < sizeof algs / sizeof algs[0]; i++) {
        struct private_key *key = NULL, *again = NULL, *other = NULL;
        char uri[80];
        struct stat about;
        struct fault fault = { 0 };

        assert_int_equal(private_key_generate(algs[i], &key), STATUS_OK);
        umask(0); /* the mode is no matter of the caller's mask */
        assert_int_equal(private_key_write(key, path(), NULL), STATUS_OK);
        assert_int_equal(stat(path(), &about), 0);
        assert_int_equal(about.st_mode & 07777, 0600);
        assert_int_equal(private_key_read(path(), &again, NULL), STATUS_OK);
        signs_for(again, private_key_public(key), algs[i]);
        private_key_free(again);
        snprintf(uri, sizeof uri, "file:%s", path());
        assert_int_equal(private_key_read(uri, &again, NULL), STATUS_OK);
        /* What is there stays. */
        assert_int_equal(private_key_generate(algs[i], &other), STATUS_OK);
        assert_int_equal(private_key_write(other, path(), &fault), STATUS_CONFLICT);
        assert_non_null(strstr(fault.text, path()));
        private_key_free(again);
        assert_int_equal(private_key_read(path(), &again, NULL), STATUS_OK);
        assert_memory_equal(public_key_thumbprint(private_key_public(again)),
                            public_key_thumbprint(private_key_public(key)), THUMBPRINT_SIZE);
        private_key_free(again);
        private_key_free(other);
        private_key_free(key);
        unlink(path());
    }
}

/* A link that leads nowhere is there already, too: nothing is written behind it. */
static void
no_file_behind_a_link(void **state)
{
    struct private_key *key = NULL;
    char target[64];

    snprintf(target, sizeof target, "%s/other", folder);
    assert_int_equal(symlink(target, path()), 0);
    assert_int_equal(private_key_generate(ALG_EDDSA, &key), STATUS_OK);
    assert_int_equal(private_key_write(key, path(), NULL), STATUS_CONFLICT);
    assert_int_not_equal(access(target, F_OK), 0);
    unlink(path());
    assert_int_equal(private_key_write(key, "/no/such/folder/key", NULL), STATUS_IO);
    private_key_free(key);
}

static void
modes(void **state)
{
    static const mode_t refused[] = { 0640, 0604, 0620, 0602, 0610, 0601, 0644, 0777 };
    struct private_key *key = NULL, *again = NULL;

    assert_int_equal(private_key_generate(ALG_EDDSA, &key), STATUS_OK);
    assert_int_equal(private_key_write(key, path(), NULL), STATUS_OK);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        assert_int_equal(chmod(path(), refused[i]), 0);
        refuses(path(), STATUS_DENIED, "chmod 600 /tmp/writ-key-");
    }
    assert_int_equal(chmod(path(), 0400), 0);
    assert_int_equal(private_key_read(path(), &again, NULL), STATUS_OK);
    private_key_free(again);
    if (geteuid() == 0) { /* only root gives files away */
        assert_int_equal(chown(path(), 65534, 65534), 0);
        refuses(path(), STATUS_DENIED, "another user");
    }
    unlink(path());
    private_key_free(key);
}

/* A pipe that nobody writes to must not hold the program up. */
static void
no_ordinary_files(void **state)
{
    refuses(path(), STATUS_NOT_FOUND, path());
    refuses(folder, STATUS_DENIED, "no ordinary file");
    refuses("/dev/null", STATUS_DENIED, "no ordinary file");
    assert_int_equal(mkfifo(path(), 0600), 0);
    refuses(path(), STATUS_DENIED, "no ordinary file");
    unlink(path());
}

static void
no_keys(void **state)
{
    static char long_text[20000];
    static const char public_pem[] =
        "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
        "-----END PUBLIC KEY-----\n";

    write_file("", 0);
    refuses(path(), STATUS_INVALID, "no private key");
    write_file("x", 1);
    refuses(path(), STATUS_INVALID, "no private key");
    write_file(public_pem, sizeof public_pem - 1);
    refuses(path(), STATUS_INVALID, "no private key");
    memset(long_text, '\n', sizeof long_text);
    write_file(long_text, sizeof long_text);
    refuses(path(), STATUS_TOO_LARGE, "too long");
    /* A passphrase is not asked for. */
    write_pem(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), "secret");
    refuses(path(), STATUS_INVALID, "without a passphrase");
    unlink(path());
}

/* Kinds and sizes that prove nothing here. */
static void
no_keys_of_ours(void **state)
{
    write_pem(EVP_PKEY_Q_keygen(NULL, NULL, "EC", "secp384r1"), NULL);
    refuses(path(), STATUS_INVALID, "none of P-256");
    write_pem(EVP_PKEY_Q_keygen(NULL, NULL, "EC", "secp256k1"), NULL);
    refuses(path(), STATUS_INVALID, "none of P-256");
    write_pem(EVP_PKEY_Q_keygen(NULL, NULL, "X25519"), NULL);
    refuses(path(), STATUS_INVALID, "none of P-256");
    write_pem(EVP_PKEY_Q_keygen(NULL, NULL, "ED448"), NULL);
    refuses(path(), STATUS_INVALID, "none of P-256");
    write_pem(EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024), NULL);
    refuses(path(), STATUS_INVALID, "2048 to 4096 bits");
    unlink(path());
}

static void
no_providers(void **state)
{
    refuses("pkcs11:token=none;object=none", STATUS_NOT_FOUND, "provider");
    refuses("handle:0x81000001", STATUS_NOT_FOUND, "provider");
    refuses("https://example.com/key", STATUS_NOT_FOUND, "provider");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(generated),
        cmocka_unit_test(signs_what_it_takes),
        cmocka_unit_test(kept),
        cmocka_unit_test(files),
        cmocka_unit_test(no_file_behind_a_link),
        cmocka_unit_test(modes),
        cmocka_unit_test(no_ordinary_files),
        cmocka_unit_test(no_keys),
        cmocka_unit_test(no_keys_of_ours),
        cmocka_unit_test(no_providers),
    };

    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
