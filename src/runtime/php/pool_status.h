// fpm_get_status(): the pool's state as an array (status.md §6).
#pragma once

#include "runtime/php/engine.h"
#include "worker/runtime.h"

namespace muster::php {

/// Makes `array` the array that php-fpm would return. May leave by longjmp; owns nothing.
void describePool(zval* array, const PoolStatus& status) noexcept;

}  // namespace muster::php
