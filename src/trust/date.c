/* SPDX-License-Identifier: MIT */
#include <thimble/trust.h>

enum th_date_verdict th_trust_date(const struct th_clock_view *clock, int64_t not_before_s,
                                   int64_t not_after_s)
{
    /* What the floor has seen pass has passed, whatever a clock says. */
    bool behind = clock->kind == TH_CLOCK_FLOOR_ONLY || clock->now_s < clock->floor_s;
    int64_t now_s = behind ? clock->floor_s : clock->now_s;

    if (not_after_s < clock->floor_s)
        return TH_DATE_EXPIRED;
    if (now_s >= not_before_s && now_s <= not_after_s)
        return TH_DATE_VALID;
    switch (clock->kind) {
    case TH_CLOCK_TRUSTED: return now_s > not_after_s ? TH_DATE_EXPIRED : TH_DATE_NOT_YET;
    case TH_CLOCK_HINT: return TH_DATE_DOUBTFUL;
    default: return TH_DATE_PROVISIONAL;
    }
}

enum th_date_verdict th_trust_dates_again(const struct th_trust_summary *summary,
                                          const struct th_clock_view *clock)
{
    return th_trust_date(clock, summary->not_before_s, summary->not_after_s);
}
