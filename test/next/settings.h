/* SPDX-License-Identifier: MIT */
/* What the version after this one has in its schema; put before every file of it. */
#define TH_SETTINGS_MORE(X)                                                                \
    X(60000, "next.text", TEXT, 0, 40, NULL, "", 0, NOW, "A setting of the next version.") \
    X(60001, "next.count", NUMBER, 0, 9999, NULL, "7", 0, NOW, "Another one.")
