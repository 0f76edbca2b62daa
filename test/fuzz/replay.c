/* fuzz/replay.c - runs a fuzz target over the files of its corpus, as a test. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = malloc(1 << 20);
    size_t size, failed = 1;

    if (file != NULL && bytes != NULL) {
        size = fread(bytes, 1, 1 << 20, file);
        /* An allocation of exactly this size, so that a sanitizer sees an
         * overrun by one byte. */
        uint8_t *exact = malloc(size == 0 ? 1 : size);
        if (exact != NULL) {
            memcpy(exact, bytes, size);
            LLVMFuzzerTestOneInput(exact, size);
            free(exact);
            failed = 0;
        }
    }
    if (file != NULL)
        fclose(file);
    free(bytes);
    return failed;
}

int
main(int argc, char **argv)
{
    unsigned replayed = 0;

    for (int i = 1; i < argc; i++) {
        DIR *dir = opendir(argv[i]);
        struct dirent *entry;
        char path[4096];

        while (dir != NULL && (entry = readdir(dir)) != NULL) {
            if (entry->d_name[0] == '.')
                continue;
            snprintf(path, sizeof path, "%s/%s", argv[i], entry->d_name);
            if (replay_file(path) != 0) {
                fprintf(stderr, "cannot replay %s\n", path);
                return 1;
            }
            replayed++;
        }
        if (dir != NULL)
            closedir(dir);
    }
    printf("%u inputs replayed\n", replayed);
    return replayed == 0;
}
