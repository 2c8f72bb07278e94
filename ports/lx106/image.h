/* SPDX-License-Identifier: MIT */
/* The slot image and the flash map of this board: docs/flash-format.md. The loader and the host's
 * image maker both include it. */
#ifndef TH_LX106_IMAGE_H
#define TH_LX106_IMAGE_H

#define TH_LX_IMAGE_VERSION  1
#define TH_LX_IMAGE_SEGMENTS 8 /* at most */

/* Offsets in an image. */
#define TH_LX_IMAGE_LENGTH   4
#define TH_LX_IMAGE_DIGEST   8
#define TH_LX_IMAGE_DIGESTED 40 /* from here to the end */
#define TH_LX_IMAGE_COUNT    41
#define TH_LX_IMAGE_ENTRY    44
#define TH_LX_IMAGE_TABLE    48

#define TH_LX_BOOT_UNITS   \
    {                      \
        0x010000, 0x020000 \
    }
#define TH_LX_SLOTS        \
    {                      \
        0x100000, 0x200000 \
    }
#define TH_LX_SLOT_BYTES 0x100000

#endif
