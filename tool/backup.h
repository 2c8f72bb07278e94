/* SPDX-License-Identifier: MIT */
/* What backup and restore agree on; docs/backup-format.md has the whole. */
#ifndef TOOL_BACKUP_H
#define TOOL_BACKUP_H

#define BACKUP_ABOUT      "thimble-backup" /* the first entry */
#define BACKUP_FIRST_LINE "thimble backup 1"

#endif
