/* SPDX-License-Identifier: MIT */
/* Everything an application may include. */
#ifndef THIMBLE_THIMBLE_H
#define THIMBLE_THIMBLE_H

#include <thimble/board.h>
#include <thimble/clock.h>
#include <thimble/der.h>
#include <thimble/device.h>
#include <thimble/enrol.h>
#include <thimble/error.h>
#include <thimble/factory.h>
#include <thimble/failure.h>
#include <thimble/flash_map.h>
#include <thimble/history.h>
#include <thimble/identity.h>
#include <thimble/link.h>
#include <thimble/mqtt.h>
#include <thimble/net.h>
#include <thimble/pem.h>
#include <thimble/seed.h>
#include <thimble/settings.h>
#include <thimble/span.h>
#include <thimble/stream.h>
#include <thimble/time.h>
#include <thimble/timekeeper.h>
#include <thimble/tls.h>
#include <thimble/topic.h>
#include <thimble/trial.h>
#include <thimble/trust.h>
#include <thimble/websocket.h>
#include <thimble/wifi.h>

#endif
