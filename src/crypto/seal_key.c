/* crypto/seal_key.c - where the sealing key comes from: a passphrase or a file. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encoding.h"
#include "crypto/random.h"
#include "crypto/seal.h"
#include "ossl.h"

enum { HEX_SIZE = 2 * SECRET_SIZE };

enum status
seal_key_from_passphrase(struct slice passphrase, const uint8_t salt[SCRYPT_SALT_SIZE],
                         struct secret *out)
{
    enum { COST = 1 << 17, BLOCK = 8, PARALLEL = 1, MEMORY_MOST = 160 << 20 };
    struct secret key;

    if (passphrase.size == 0)
        return STATUS_INVALID;
    if (EVP_PBE_scrypt(passphrase.at, passphrase.size, salt, SCRYPT_SALT_SIZE, COST, BLOCK,
                       PARALLEL, MEMORY_MOST, key.bytes, sizeof key.bytes) != 1)
        return ossl_failed();
    *out = key;
    secret_wipe(&key, sizeof key);
    return STATUS_OK;
}

static enum status
failed(struct fault *fault, const char *what, const char *path)
{
    int reason = errno;
    enum status status = reason == ENOENT                       ? STATUS_NOT_FOUND
                         : reason == ENOSPC || reason == EDQUOT ? STATUS_FULL
                                                                : STATUS_IO;

    return fault_set(fault, status, "cannot %s the key file %s: %s", what, path, strerror(reason));
}

/* A key that others could read or swap is no secret. */
static enum status
check_owner(int file, const char *path, struct fault *fault)
{
    struct stat about;

    if (fstat(file, &about) != 0)
        return failed(fault, "look at", path);
    if (!S_ISREG(about.st_mode))
        return fault_set(fault, STATUS_DENIED, "the key file %s is no ordinary file", path);
    if (about.st_uid != geteuid())
        return fault_set(fault, STATUS_DENIED, "the key file %s belongs to user %u, not to us (%u)",
                         path, (unsigned)about.st_uid, (unsigned)geteuid());
    if ((about.st_mode & 07177) != 0)
        return fault_set(fault, STATUS_DENIED,
                         "the key file %s has mode %04o; others may read it: chmod 600 it", path,
                         (unsigned)about.st_mode & 07777);
    return STATUS_OK;
}

static ssize_t
read_whole(int file, char *out, size_t capacity)
{
    size_t size = 0;

    while (size < capacity) {
        ssize_t got = read(file, out + size, capacity - size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        size += (size_t)got;
    }
    return (ssize_t)size;
}

static enum status
read_key(int file, const char *path, struct secret *out, struct fault *fault)
{
    char text[HEX_SIZE + 2]; /* a newline, and one byte to see that there is more */
    enum status status = check_owner(file, path, fault);
    ssize_t size;

    if (status != STATUS_OK)
        return status;
    size = read_whole(file, text, sizeof text);
    if (size < 0)
        status = failed(fault, "read", path);
    else if (!(size == HEX_SIZE || (size == HEX_SIZE + 1 && text[HEX_SIZE] == '\n')) ||
             !hex_decode(slice_of(text, HEX_SIZE), out->bytes, sizeof out->bytes))
        status = fault_set(fault, STATUS_INVALID,
                           "the key file %s must hold %d lower-case hex digits and nothing else",
                           path, HEX_SIZE);
    secret_wipe(text, sizeof text);
    return status;
}

static bool
write_key(int file)
{
    struct secret key;
    struct buffer text = BUFFER_LIMITED(HEX_SIZE + 1);
    bool fine = random_bytes(key.bytes, sizeof key.bytes) == STATUS_OK;

    put_hex(&text, key.bytes, sizeof key.bytes);
    put_u8(&text, '\n');
    fine = fine && buffer_status(&text) == STATUS_OK &&
           write(file, text.bytes, text.size) == (ssize_t)text.size && fsync(file) == 0;
    buffer_wipe_free(&text);
    secret_wipe(&key, sizeof key);
    return fine;
}

/* The name is durable only when its folder is. */
static bool
sync_folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash == NULL   ? slice_strdup(SLICE_LITERAL("."))
                   : slash == path ? slice_strdup(SLICE_LITERAL("/"))
                                   : slice_strdup(slice_of(path, (size_t)(slash - path)));
    int handle = folder == NULL ? -1 : open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool fine = handle >= 0 && fsync(handle) == 0;

    if (handle >= 0)
        close(handle);
    free(folder);
    return fine;
}

/* Whole or not at all, and never over a key that another process made meanwhile:
 * written under another name, then linked. */
static enum status
create_key(const char *path, struct fault *fault)
{
    struct buffer unfinished = BUFFER_LIMITED(4096);
    enum status status = STATUS_OK;
    int file;

    put_format(&unfinished, "%s.new-%ld", path, (long)getpid());
    put_u8(&unfinished, '\0');
    status = buffer_status(&unfinished);
    if (status != STATUS_OK)
        goto done;
    file = open(unfinished.bytes, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0) {
        status = failed(fault, "create", path);
        goto done;
    }
    if (!write_key(file) || (link(unfinished.bytes, path) != 0 && errno != EEXIST) ||
        !sync_folder_of(path))
        status = failed(fault, "create", path);
    close(file);
    unlink(unfinished.bytes);
done:
    buffer_free(&unfinished);
    return status;
}

enum status
seal_key_from_file(const char *path, enum seal_create create, struct secret *out,
                   struct fault *fault)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    enum status status;

    if (file < 0 && errno == ENOENT && create == SEAL_CREATE) {
        status = create_key(path, fault);
        if (status != STATUS_OK)
            return status;
        file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    }
    if (file < 0)
        return failed(fault, "open", path);
    status = read_key(file, path, out, fault);
    close(file);
    return status;
}
