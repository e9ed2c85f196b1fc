// PHP's headers, once and in the order they need.
#pragma once

// clang-format off
// Before PHP's: it redefines names of theirs.
#include <cstdio>
#include <string>

#include <SAPI.h>
#include <php.h>

// These do not think of C++; the first comes with basic_functions.h otherwise.
extern "C" {
#include <ext/standard/php_filestat.h>
#include <ext/standard/dl.h>
#include <ext/standard/head.h>
}

#include <ext/standard/basic_functions.h>
#include <ext/standard/info.h>
#include <fopen_wrappers.h>
#include <php_ini.h>
#include <php_main.h>
#include <php_output.h>
#include <php_variables.h>
#include <zend_exceptions.h>
#include <zend_extensions.h>
#include <zend_ini_scanner.h>
#include <zend_modules.h>
#include <zend_observer.h>
#include <zend_signal.h>
#include <zend_stream.h>

// PHP puts its own formatting functions over the C library's.
#undef snprintf
#undef vsnprintf
#undef sprintf
