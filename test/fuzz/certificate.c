/* fuzz/certificate.c - any bytes as a certificate, as a Client-Cert field, and as the name
 * that one should bear. */
#include <stdlib.h>

#include "proof/certificate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes = slice_of(data, size), der;
    struct certificate *certificate;
    struct buffer subject = { 0 };
    struct arena arena;

    arena_init(&arena, 1 << 17);
    if (certificate_from_field(bytes, &arena, &der) == STATUS_OK && der.size == 0)
        abort();
    if (certificate_from_der(bytes, &certificate) == STATUS_OK) {
        certificate_put_subject(certificate, &subject);
        for (int kind = NAME_SUBJECT_DN; kind <= NAME_SAN_EMAIL; kind++)
            (void)certificate_is_named(certificate, (enum certificate_name)kind,
                                       slice_first(bytes, 64));
        (void)certificate_valid_at(certificate, INT64_C(1800000000000));
        certificate_free(certificate);
    }
    buffer_free(&subject);
    arena_free(&arena);
    return 0;
}
