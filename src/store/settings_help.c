/* SPDX-License-Identifier: MIT */
#include <thimble/settings.h>
#include <thimble/settings_list.h>

#define ROW(number, name, type, min, max, choices, normal, flags, applies, help) help,
static const char *const texts[] = {TH_SETTINGS_LIST(ROW)};
#undef ROW

const char *th_setting_help(const struct th_setting *setting)
{
    return texts[setting - th_settings_schema];
}
