/* Sealing: what opens, what does not, and where the sealing key may lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/seal.h"

static const struct secret key = { { 1, 2, 3 } };

static void
seals_and_opens(void **state)
{
    struct buffer sealed = { 0 }, plain = { 0 };
    struct slice context = SLICE_LITERAL("ring/1"), text = SLICE_LITERAL("signing key");

    put_text(&sealed, "before");
    assert_int_equal(seal(&key, context, text, &sealed), STATUS_OK);
    assert_int_equal(sealed.size, 6 + text.size + SEAL_OVERHEAD);
    buffer_consume(&sealed, 6);
    assert_int_equal(unseal(&key, context, buffer_slice(&sealed), &plain), STATUS_OK);
    assert_true(slice_equal(buffer_slice(&plain), text));

    /* An empty secret, an empty context */
    buffer_clear(&sealed);
    buffer_clear(&plain);
    assert_int_equal(seal(&key, (struct slice){ 0 }, (struct slice){ 0 }, &sealed), STATUS_OK);
    assert_int_equal(sealed.size, SEAL_OVERHEAD);
    assert_int_equal(unseal(&key, (struct slice){ 0 }, buffer_slice(&sealed), &plain), STATUS_OK);
    assert_int_equal(plain.size, 0);
    buffer_free(&sealed);
    buffer_wipe_free(&plain);
}

static void
never_seals_alike(void **state)
{
    struct buffer one = { 0 }, other = { 0 };
    struct slice text = SLICE_LITERAL("x");

    assert_int_equal(seal(&key, text, text, &one), STATUS_OK);
    assert_int_equal(seal(&key, text, text, &other), STATUS_OK);
    assert_false(slice_equal(buffer_slice(&one), buffer_slice(&other)));
    buffer_free(&one);
    buffer_free(&other);
}

static void
refuses_changes(void **state)
{
    struct buffer sealed = { 0 }, plain = { 0 }, small = BUFFER_LIMITED(3);
    struct slice context = SLICE_LITERAL("ring/1"), text = SLICE_LITERAL("secret");
    struct secret wrong = key;

    assert_int_equal(seal(&key, context, text, &sealed), STATUS_OK);
    for (size_t at = 0; at < sealed.size; at++) {
        sealed.bytes[at] ^= 1;
        assert_int_equal(unseal(&key, context, buffer_slice(&sealed), &plain), STATUS_DENIED);
        sealed.bytes[at] ^= 1;
        assert_int_equal(unseal(&key, context, slice_first(buffer_slice(&sealed), at), &plain),
                         STATUS_DENIED);
    }
    wrong.bytes[31] ^= 1;
    assert_int_equal(unseal(&wrong, context, buffer_slice(&sealed), &plain), STATUS_DENIED);
    assert_int_equal(unseal(&key, text, buffer_slice(&sealed), &plain), STATUS_DENIED);
    assert_int_equal(unseal(&key, (struct slice){ 0 }, buffer_slice(&sealed), &plain),
                     STATUS_DENIED);
    assert_int_equal(unseal(&key, context, (struct slice){ 0 }, &plain), STATUS_DENIED);
    assert_int_equal(plain.size, 0);
    assert_int_equal(unseal(&key, context, buffer_slice(&sealed), &small), STATUS_TOO_LARGE);
    assert_int_equal(seal(&key, context, text, &small), STATUS_TOO_LARGE);
    assert_int_equal(unseal(&key, context, buffer_slice(&sealed), &plain), STATUS_OK);
    buffer_free(&sealed);
    buffer_free(&plain);
    buffer_free(&small);
}

static void
derives_from_a_passphrase(void **state)
{
    static const uint8_t salt[SCRYPT_SALT_SIZE] = { 7 };
    struct slice passphrase = SLICE_LITERAL("correct horse");
    struct secret one = { { 0 } }, other = { { 0 } };

    assert_int_equal(seal_key_from_passphrase((struct slice){ 0 }, salt, &one), STATUS_INVALID);
    assert_int_equal(seal_key_from_passphrase(passphrase, salt, &one), STATUS_OK);
    passphrase.size--;
    assert_int_equal(seal_key_from_passphrase(passphrase, salt, &other), STATUS_OK);
    assert_memory_not_equal(one.bytes, other.bytes, SECRET_SIZE);
}

static void
write_file(const char *path, const char *text, mode_t mode)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(path, mode), 0);
}

static void
keeps_its_key_in_a_file(void **state)
{
    char folder[] = "/tmp/writ-seal-XXXXXX", path[64], link_path[64];
    struct secret one = { { 0 } }, other = { { 0 } };
    struct fault fault = { 0 };
    struct stat about;

    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/key", folder);
    snprintf(link_path, sizeof link_path, "%s/link", folder);
    assert_int_equal(seal_key_from_file(path, SEAL_MUST_EXIST, &one, &fault), STATUS_NOT_FOUND);
    assert_int_equal(seal_key_from_file(path, SEAL_CREATE, &one, &fault), STATUS_OK);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 07777, 0600);
    assert_int_equal(about.st_nlink, 1);
    assert_int_equal(about.st_size, 65);
    assert_int_equal(seal_key_from_file(path, SEAL_CREATE, &other, &fault), STATUS_OK);
    assert_memory_equal(one.bytes, other.bytes, SECRET_SIZE);

    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(seal_key_from_file(path, SEAL_CREATE, &other, &fault), STATUS_DENIED);
    assert_non_null(strstr(fault.text, "0640"));
    assert_int_equal(chmod(path, 0400), 0);
    assert_int_equal(seal_key_from_file(path, SEAL_MUST_EXIST, &other, &fault), STATUS_OK);
    assert_int_equal(symlink(path, link_path), 0);
    assert_int_equal(seal_key_from_file(link_path, SEAL_CREATE, &other, &fault), STATUS_IO);
    unlink(link_path);
    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(seal_key_from_file(path, SEAL_CREATE, &other, &fault), STATUS_DENIED);
    assert_memory_equal(one.bytes, other.bytes, SECRET_SIZE);
    rmdir(path);
    rmdir(folder);
}

static void
refuses_a_file_that_is_no_key(void **state)
{
    static const char *const wrong[] = {
        "",
        "\n",
        "00",
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1",
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f0",
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n\n",
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1g",
        "000102030405060708090A0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
    };
    char path[] = "/tmp/writ-seal-XXXXXX";
    struct secret out = { { 9 } };
    struct fault fault = { 0 };

    close(mkstemp(path));
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        write_file(path, wrong[i], 0600);
        assert_int_equal(seal_key_from_file(path, SEAL_CREATE, &out, &fault), STATUS_INVALID);
        assert_null(strstr(fault.text, "0001"));
    }
    assert_int_equal(out.bytes[0], 9);
    write_file(path, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", 0600);
    assert_int_equal(seal_key_from_file(path, SEAL_CREATE, &out, &fault), STATUS_OK);
    assert_int_equal(out.bytes[31], 0x1f);
    unlink(path);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seals_and_opens),         cmocka_unit_test(never_seals_alike),
        cmocka_unit_test(refuses_changes),         cmocka_unit_test(derives_from_a_passphrase),
        cmocka_unit_test(keeps_its_key_in_a_file), cmocka_unit_test(refuses_a_file_that_is_no_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
