/* crypto/certificate.c - X.509 certificates read (RFC 5280), and what they name. */
#include "crypto/certificate.h"

#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <strings.h>

#include "base/encoding.h"
#include "crypto/hash.h"
#include "key_inside.h"
#include "ossl.h"

enum { DER_MAX = 65536, DN_PARTS_MAX = 32 };

struct certificate {
    X509 *x509;
    struct public_key *key; /* NULL: none that is verified here */
    uint8_t thumbprint[THUMBPRINT_SIZE];
};

void
certificate_free(struct certificate *certificate)
{
    if (certificate == NULL)
        return;
    X509_free(certificate->x509);
    public_key_free(certificate->key);
    free(certificate);
}

/* Takes the reference over. */
static enum status
certificate_of(X509 *x509, struct slice der, struct certificate **out)
{
    struct certificate *made = calloc(1, sizeof *made);
    EVP_PKEY *evp;
    enum status status;

    if (made == NULL) {
        X509_free(x509);
        return STATUS_MEMORY;
    }
    made->x509 = x509;
    status = hash_sha256(&der, 1, made->thumbprint);
    if (status != STATUS_OK) {
        certificate_free(made);
        return status;
    }
    evp = X509_get_pubkey(x509);
    if (evp == NULL || key_from_evp(evp, &made->key, NULL) != STATUS_OK)
        made->key = NULL;
    (void)ossl_failed();
    *out = made;
    return STATUS_OK;
}

enum status
certificate_from_der(struct slice der, struct certificate **out)
{
    const unsigned char *at = (const unsigned char *)der.at;
    X509 *x509 = der.size == 0 || der.size > DER_MAX ? NULL : d2i_X509(NULL, &at, (long)der.size);

    if (x509 == NULL || at != (const unsigned char *)der.at + der.size) {
        X509_free(x509);
        (void)ossl_failed();
        return STATUS_INVALID;
    }
    return certificate_of(x509, der, out);
}

enum status
certificate_from_pem(struct slice text, struct certificate **out, struct fault *fault)
{
    BIO *in =
        text.size == 0 || text.size > DER_MAX ? NULL : BIO_new_mem_buf(text.at, (int)text.size);
    X509 *x509 = in == NULL ? NULL : PEM_read_bio_X509(in, NULL, ossl_no_passphrase, NULL);
    unsigned char *der = NULL;
    int size = x509 == NULL ? -1 : i2d_X509(x509, &der);
    enum status status;

    BIO_free(in);
    if (size <= 0) {
        X509_free(x509);
        (void)ossl_failed();
        return fault_set(fault, STATUS_INVALID, "this is no PEM with a certificate");
    }
    status = certificate_of(x509, slice_of(der, (size_t)size), out);
    OPENSSL_free(der);
    return status;
}

const uint8_t *
certificate_thumbprint(const struct certificate *certificate)
{
    return certificate->thumbprint;
}

const struct public_key *
certificate_key(const struct certificate *certificate)
{
    return certificate->key;
}

bool
certificate_valid_at(const struct certificate *certificate, int64_t wall_ms)
{
    time_t at = (time_t)(wall_ms / 1000);

    return X509_cmp_time(X509_get0_notBefore(certificate->x509), &at) < 0 &&
           X509_cmp_time(X509_get0_notAfter(certificate->x509), &at) > 0;
}

/* --- the subject's name ------------------------------------------------------- */

/* One "TYPE=value" of a DN's text, with its escapes; multi: '+' stood before it. */
struct dn_part {
    char type[64];
    char value[512];
    size_t size;
    bool multi;
};

/* RFC 4514 §3: "\" before a special character or two hex digits. */
static bool
take_escaped(struct slice text, size_t *at, char *out)
{
    if (++*at >= text.size)
        return false;
    int high = hex_digit_value(text.at[*at]);
    int low = *at + 1 < text.size ? hex_digit_value(text.at[*at + 1]) : -1;

    if (high >= 0 && low >= 0) {
        *out = (char)(high << 4 | low);
        *at += 2;
        return *out != '\0';
    }
    *out = text.at[(*at)++];
    return *out != '\0' && strchr("\"+,;<>\\ #=", *out) != NULL;
}

/* RFC 4514 §2.4 and §3: what has to be escaped; "#" in front begins hex of BER, which is
 * not taken. */
static bool
stands_alone(char byte, size_t before)
{
    return byte != '\0' && strchr("\";<>", byte) == NULL && (byte != '#' || before > 0);
}

static void
skip_blanks(struct slice text, size_t *at)
{
    while (*at < text.size && text.at[*at] == ' ')
        ++*at;
}

static bool
take_part(struct slice text, size_t *at, struct dn_part *part)
{
    size_t size = 0, kept = 0;

    skip_blanks(text, at);
    while (*at < text.size && text.at[*at] != '=' && size < sizeof part->type - 1)
        part->type[size++] = text.at[(*at)++];
    while (size > 0 && part->type[size - 1] == ' ')
        size--; /* "CN = x" is how OpenSSL shows it */
    part->type[size] = '\0';
    if (size == 0 || *at >= text.size || text.at[(*at)++] != '=')
        return false;
    skip_blanks(text, at);
    part->size = 0;
    while (*at < text.size && text.at[*at] != ',' && text.at[*at] != '+') {
        char byte = text.at[*at];
        bool escaped = byte == '\\';

        if (part->size == sizeof part->value || (escaped && !take_escaped(text, at, &byte)) ||
            (!escaped && !stands_alone(byte, part->size)))
            return false;
        if (!escaped)
            ++*at;
        part->value[part->size++] = byte;
        kept = escaped || byte != ' ' ? part->size : kept;
    }
    part->size = kept; /* blanks before a separator belong to nothing */
    return part->size > 0;
}

/* The text names the most specific part first, the certificate last (RFC 4514 §2.1). */
static X509_NAME *
name_of_text(struct slice text)
{
    struct dn_part *parts = calloc(DN_PARTS_MAX, sizeof *parts);
    X509_NAME *name = X509_NAME_new();
    size_t count = 0, at = 0;
    bool fine = parts != NULL && name != NULL && text.size > 0, plus = false;

    while (fine && at < text.size) {
        fine = count < DN_PARTS_MAX && take_part(text, &at, &parts[count]);
        if (!fine)
            break;
        parts[count++].multi = plus;
        plus = at < text.size && text.at[at] == '+';
        if (at < text.size && ++at == text.size)
            fine = false;
    }
    /* -1 joins the part to the one added before; of a set, that is the one behind it. */
    for (size_t i = count; fine && i-- > 0;)
        fine = X509_NAME_add_entry_by_txt(name, parts[i].type, MBSTRING_UTF8,
                                          (const unsigned char *)parts[i].value, (int)parts[i].size,
                                          -1, i + 1 < count && parts[i + 1].multi ? -1 : 0) == 1;
    free(parts);
    if (!fine) {
        X509_NAME_free(name);
        (void)ossl_failed();
        return NULL;
    }
    return name;
}

static bool
subject_is(const struct certificate *certificate, struct slice value)
{
    X509_NAME *name = name_of_text(value);
    bool same = name != NULL && X509_NAME_cmp(name, X509_get_subject_name(certificate->x509)) == 0;

    X509_NAME_free(name);
    return same;
}

void
certificate_put_subject(const struct certificate *certificate, struct buffer *out)
{
    BIO *text = BIO_new(BIO_s_mem());
    char *bytes;
    long size;

    if (text != NULL &&
        X509_NAME_print_ex(text, X509_get_subject_name(certificate->x509), 0,
                           XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0 &&
        (size = BIO_get_mem_data(text, &bytes)) > 0)
        put_bytes(out, bytes, (size_t)size);
    BIO_free(text);
    (void)ossl_failed();
}

/* --- alternative names ---------------------------------------------------------- */

static bool
text_is(const ASN1_STRING *held, struct slice value, enum certificate_name kind)
{
    struct slice text = slice_of(ASN1_STRING_get0_data(held), (size_t)ASN1_STRING_length(held));

    if (slice_find(text, '\0') < text.size)
        return false;
    return kind == NAME_SAN_DNS ? slice_equal_nocase(text, value) : slice_equal(text, value);
}

static bool
ip_is(const ASN1_STRING *held, struct slice value)
{
    uint8_t wanted[16];
    char text[64];
    int size;

    if (value.size >= sizeof text)
        return false;
    memcpy(text, value.at, value.size);
    text[value.size] = '\0';
    size = inet_pton(AF_INET, text, wanted) == 1    ? 4
           : inet_pton(AF_INET6, text, wanted) == 1 ? 16
                                                    : 0;
    return size > 0 && ASN1_STRING_length(held) == size &&
           memcmp(ASN1_STRING_get0_data(held), wanted, (size_t)size) == 0;
}

static bool
alternative_is(const GENERAL_NAME *name, enum certificate_name kind, struct slice value)
{
    static const int types[] = {
        [NAME_SAN_DNS] = GEN_DNS,
        [NAME_SAN_URI] = GEN_URI,
        [NAME_SAN_IP] = GEN_IPADD,
        [NAME_SAN_EMAIL] = GEN_EMAIL,
    };
    int type;
    const ASN1_STRING *held = GENERAL_NAME_get0_value(name, &type);

    if (type != types[kind])
        return false;
    return kind == NAME_SAN_IP ? ip_is(held, value) : text_is(held, value, kind);
}

bool
certificate_is_named(const struct certificate *certificate, enum certificate_name kind,
                     struct slice value)
{
    GENERAL_NAMES *names;
    bool found = false;

    if (value.size == 0)
        return false;
    if (kind == NAME_SUBJECT_DN)
        return subject_is(certificate, value);
    names = X509_get_ext_d2i(certificate->x509, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; !found && i < sk_GENERAL_NAME_num(names); i++)
        found = alternative_is(sk_GENERAL_NAME_value(names, i), kind, value);
    GENERAL_NAMES_free(names);
    (void)ossl_failed();
    return found;
}
