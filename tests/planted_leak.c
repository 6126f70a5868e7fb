/* SPDX-License-Identifier: Apache-2.0
 * A leak on purpose. ctest runs this program with the properties of every other test and expects it to fail; if it
 * passes, leaks in real tests go unseen. */
#include <criterion/criterion.h>
#include <stdlib.h>

static void *volatile kept;

Test(planted_leak, passes_by_its_own_account)
{
    kept = malloc(123);
    cr_assert_not_null(kept);
    kept = NULL;
}
