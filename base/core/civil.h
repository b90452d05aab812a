/* civil: the calendar, shared by the clock's own files and base/crypto/der. */
#ifndef BASE_CORE_CIVIL_H
#define BASE_CORE_CIVIL_H

#include "base/core/clock.h"

int64_t civil_to_days(int64_t year, int month, int day);       /* days since 1970-01-01; month 1..12 */
void civil_from_seconds(int64_t seconds, struct civil *ret);   /* seconds since 1970, any sign */
int civil_month_days(int64_t year, int month);

#endif
