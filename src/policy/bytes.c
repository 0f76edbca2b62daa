/* policy/bytes.c - which bytes may stand where in a right and in a request. */
#include "bytes.h"

enum {
    O = BYTE_OBJECT,
    A = BYTE_OBJECT | BYTE_ACTION,
    C = BYTE_OBJECT | BYTE_CUT,
    N = BYTE_OBJECT | BYTE_ACTION | BYTE_NAME,
};

/* Objects: A-Za-z0-9-._~/:@!$&'+=# */
/* clang-format off */
const uint8_t byte_classes[256] = {
    ['a'] = N, ['b'] = N, ['c'] = N, ['d'] = N, ['e'] = N, ['f'] = N, ['g'] = N, ['h'] = N,
    ['i'] = N, ['j'] = N, ['k'] = N, ['l'] = N, ['m'] = N, ['n'] = N, ['o'] = N, ['p'] = N,
    ['q'] = N, ['r'] = N, ['s'] = N, ['t'] = N, ['u'] = N, ['v'] = N, ['w'] = N, ['x'] = N,
    ['y'] = N, ['z'] = N, ['0'] = N, ['1'] = N, ['2'] = N, ['3'] = N, ['4'] = N, ['5'] = N,
    ['6'] = N, ['7'] = N, ['8'] = N, ['9'] = N,
    ['A'] = A, ['B'] = A, ['C'] = A, ['D'] = A, ['E'] = A, ['F'] = A, ['G'] = A, ['H'] = A,
    ['I'] = A, ['J'] = A, ['K'] = A, ['L'] = A, ['M'] = A, ['N'] = A, ['O'] = A, ['P'] = A,
    ['Q'] = A, ['R'] = A, ['S'] = A, ['T'] = A, ['U'] = A, ['V'] = A, ['W'] = A, ['X'] = A,
    ['Y'] = A, ['Z'] = A,
    ['-'] = N | BYTE_CUT, ['_'] = N | BYTE_CUT, ['.'] = A | BYTE_CUT, ['/'] = C, [':'] = C,
    ['~'] = O, ['@'] = O, ['!'] = O, ['$'] = O, ['&'] = O, ['\''] = O, ['+'] = O, ['='] = O,
    ['#'] = O,
};
/* clang-format on */

static int
capital_hex(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

bool
escape_valid(struct slice from)
{
    int high, low;

    if (from.size < 3 || from.at[0] != '%')
        return false;
    high = capital_hex(from.at[1]);
    low = capital_hex(from.at[2]);
    return high >= 0 && low >= 0 && !byte_is((char)(high << 4 | low), BYTE_OBJECT);
}
