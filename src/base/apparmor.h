// AppArmor: changing into a hat of the current profile (libapparmor).
#pragma once

#include <string>

#include "base/result.h"

namespace muster {

/// The profile this process is confined by. Fails where AppArmor is not in use or /proc is not
/// there. Errors have php-fpm's words.
[[nodiscard]] Result<std::string> confinement();

/// Changes to the profile "<current>//<hat>" for good.
Result<void> changeHat(const std::string& hat);

}  // namespace muster
