/* SPDX-License-Identifier: MIT */
/* The kinds of records in the logs of the factory area and of identities; docs/flash-format.md. */
#ifndef TH_STORE_KINDS_H
#define TH_STORE_KINDS_H

enum factory_kind { FACTORY_CODE, FACTORY_KEY, FACTORY_CHAIN, FACTORY_CALIBRATION };

#define FACTORY_ALL       0xFu
#define FACTORY_NO_SECRET (1u << FACTORY_CALIBRATION)

/* Of credentials and trust sets there are two places each; INDEX says which is which. */
enum identity_kind {
    IDENTITY_INDEX,
    IDENTITY_KEY_A,
    IDENTITY_KEY_B,
    IDENTITY_CHAIN_A,
    IDENTITY_CHAIN_B,
    IDENTITY_TRUST_A,
    IDENTITY_TRUST_B,
    IDENTITY_SESSION,
};

#endif
