/* SPDX-License-Identifier: MIT */
#ifndef TOOL_PASSWORD_H
#define TOOL_PASSWORD_H

/* thimble broker password: a password for a name, instead of a certificate. */
int broker_password(int argc, char **argv);

#endif
