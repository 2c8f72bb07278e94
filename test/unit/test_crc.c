/* SPDX-License-Identifier: MIT */
#include <thimble/crc.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char check[] = "123456789";

static void the_check_value_of_the_catalogue_is_met(void **state)
{
    (void)state;
    assert_int_equal(th_crc32(0, check, 9), 0xCBF43926);
    assert_int_equal(th_crc32(0, check, 0), 0);
}

static void it_is_the_same_in_any_pieces(void **state)
{
    (void)state;
    for (size_t cut = 0; cut <= 9; cut++)
        assert_int_equal(th_crc32(th_crc32(0, check, cut), check + cut, 9 - cut), 0xCBF43926);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_check_value_of_the_catalogue_is_met),
        cmocka_unit_test(it_is_the_same_in_any_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
