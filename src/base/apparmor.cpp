// Asks for the current profile and changes to its child.
#include "base/apparmor.h"

#include <sys/apparmor.h>

#include <cstdlib>
#include <memory>

namespace muster {

Result<std::string> confinement() {
    char* label = nullptr;
    if (::aa_getcon(&label, nullptr) < 0) {
        return errnoError(
            "failed to query apparmor confinement. Please check if \"/proc/*/attr/current\" is "
            "read and writeable.");
    }
    const std::unique_ptr<char, decltype(&std::free)> owned(label, std::free);
    return std::string(label);
}

Result<void> changeHat(const std::string& hat) {
    const auto current = confinement();
    if (!current) {
        return tl::make_unexpected(current.error());
    }
    const std::string wanted = *current + "//" + hat;
    if (::aa_change_profile(wanted.c_str()) < 0) {
        return errnoError("failed to change to new confinement (" + wanted +
                          "). Please check if \"/proc/*/attr/current\" is read and writeable and "
                          "\"change_profile -> " +
                          *current + "//*\" is allowed.");
    }
    return {};
}

}  // namespace muster
