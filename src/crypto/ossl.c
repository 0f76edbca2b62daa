/* crypto/ossl.c - fetches OpenSSL's algorithms once and keeps a context per thread. */
#include "ossl.h"

#include <openssl/err.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

static pthread_once_t fetch_once = PTHREAD_ONCE_INIT;
static pthread_key_t thread_key;
static bool thread_key_made;
static EVP_MD *sha256;
static EVP_MAC *hmac;
static EVP_CIPHER *aes_256_gcm;

static _Thread_local struct ossl_thread *mine;

static void
thread_free(void *value)
{
    struct ossl_thread *thread = value;

    mine = NULL;
    EVP_MD_CTX_free(thread->digest);
    EVP_MD_CTX_free(thread->verify);
    free(thread);
}

static void
fetch(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    aes_256_gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    thread_key_made = pthread_key_create(&thread_key, thread_free) == 0;
}

EVP_MD *
ossl_sha256(void)
{
    pthread_once(&fetch_once, fetch);
    return sha256;
}

EVP_MAC *
ossl_hmac(void)
{
    pthread_once(&fetch_once, fetch);
    return hmac;
}

EVP_CIPHER *
ossl_aes_256_gcm(void)
{
    pthread_once(&fetch_once, fetch);
    return aes_256_gcm;
}

static struct ossl_thread *
thread_new(void)
{
    struct ossl_thread *thread;

    if (ossl_sha256() == NULL || !thread_key_made)
        return NULL;
    thread = calloc(1, sizeof *thread);
    if (thread == NULL)
        return NULL;
    thread->digest = EVP_MD_CTX_new();
    thread->verify = EVP_MD_CTX_new();
    if (thread->digest == NULL || thread->verify == NULL ||
        EVP_DigestInit_ex2(thread->digest, sha256, NULL) != 1 ||
        pthread_setspecific(thread_key, thread) != 0) {
        thread_free(thread);
        return NULL;
    }
    return thread;
}

struct ossl_thread *
ossl_thread(void)
{
    if (mine == NULL)
        mine = thread_new();
    return mine;
}

int
ossl_no_passphrase(char *buffer, int size, int writing, void *context)
{
    return -1;
}

enum status
ossl_failed(void)
{
    bool memory = ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE;

    ERR_clear_error();
    return memory ? STATUS_MEMORY : STATUS_CRYPTO;
}
