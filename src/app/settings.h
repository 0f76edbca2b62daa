/* app/settings.h - the table of settings: one row each, from which writ.yaml is read,
 * shown, and described. */
#ifndef WRIT_APP_SETTINGS_H
#define WRIT_APP_SETTINGS_H

#include "config.h"

enum setting_type {
    SETTING_TEXT,
    SETTING_CHOICE,  /* one of `choices` */
    SETTING_PATH,    /* relative to the file */
    SETTING_PATHS,   /* a list of them */
    SETTING_ADDRESS, /* host:port */
    SETTING_DURATION,
    SETTING_FLAG,
    SETTING_COUNT,    /* a number, or "auto" for 0 */
    SETTING_NAMES,    /* a list of texts */
    SETTING_NETWORKS, /* a list of addresses or networks */
};

struct setting {
    const char *key; /* as in the file, with dots between levels */
    enum setting_type type;
    size_t offset;       /* into struct config */
    const char *initial; /* the default, written as in the file; NULL: none */
    const char *choices; /* "a|b", for SETTING_CHOICE */
    const char *help;
    bool live; /* SIGHUP brings a new value into force; else it waits for a restart */
};

enum { SETTING_ROWS = 54 };
extern const struct setting settings[];

#endif
