/* SPDX-License-Identifier: MIT */
/* Marks and units of the log; docs/flash-format.md is the contract. Private to src/store. */
#ifndef TH_STORE_LOG_H
#define TH_STORE_LOG_H

#include <thimble/log.h>

#define LOG_UNIT_MAGIC 0x4C4F4754u /* "TGOL" in memory order */
#define LOG_VERSION    1

enum mark_type {
    MARK_RECORD = 0xB1,   /* a record follows it */
    MARK_SETTLED = 0xC3,  /* all before it counts */
    MARK_COMPLETE = 0xE5, /* the unit holds all newest records of the one before */
    MARK_TIDIED = 0x99,   /* all other units have been erased since this one was begun */
};

struct mark {
    uint8_t type, kind;
    uint16_t len;      /* of the record; 0 for other marks */
    uint32_t sequence; /* RECORD: its own; SETTLED: of the record it settles */
    uint32_t data_crc; /* RECORD: of its data */
};

struct unit_header {
    uint32_t number, nonce, erases;
};

static inline uint32_t log_grains(uint32_t len)
{
    return (len + TH_LOG_GRAIN - 1) / TH_LOG_GRAIN * TH_LOG_GRAIN;
}

/* Reading and programming within one unit; false when the flash fails. */
bool log_read(const struct th_log *log, uint8_t unit, uint32_t at, uint8_t *into, size_t len);
bool log_program(struct th_log *log, uint8_t unit, uint32_t at, const uint8_t *bytes, size_t len);

/* True when the unit's header is whole. */
bool log_header_read(const struct th_log *log, uint8_t unit, struct unit_header *out);
bool log_header_program(struct th_log *log, uint8_t unit, const struct unit_header *header);

/* True when a whole mark of this unit's nonce stands there. */
bool log_mark_read(const struct th_log *log, uint8_t unit, uint32_t nonce, uint32_t at,
                   struct mark *out);
/* In the unit in use: at its tail, which moves on; or somewhere. */
bool log_mark_program(struct th_log *log, const struct mark *mark);
bool log_mark_program_at(struct th_log *log, uint32_t at, const struct mark *mark);

/* Makes sure that a grain is none and stays none: all its bits become 0. */
bool log_void(struct th_log *log, uint8_t unit, uint32_t at);

/* The CRC of data in flash. */
bool log_data_crc(const struct th_log *log, uint8_t unit, uint32_t at, uint32_t len, uint32_t *crc);

/* What one pass over a unit finds. */
struct log_scan {
    bool complete;        /* it may be used: its COMPLETE mark is there and settled */
    bool tidied;          /* there is a TIDIED mark */
    uint32_t complete_at; /* of the COMPLETE mark; 0: none */
    bool loose;           /* its last record is whole but not settled; `loose_*` say which */
    uint8_t loose_kind;
    uint16_t loose_len;
    uint32_t loose_at;
    uint32_t sequence; /* the newest seen */
    uint32_t settled;  /* of the newest record that counts */
    struct mark last;  /* the last one, at `last_at`; 0: none */
    uint32_t last_at;
    bool torn;    /* what stands last is no mark and no record's data: a mark that was cut */
    uint32_t end; /* of everything that does not read as erased, or that a mark announces */
    struct {
        uint32_t at;
        uint16_t len;
    } newest[TH_LOG_KINDS];
};

/* Reads a unit with a whole header. False when the flash fails. */
bool log_scan_unit(const struct th_log *log, uint8_t unit, const struct unit_header *header,
                   struct log_scan *out);

#endif
