// Error texts.
#include "base/result.h"

namespace muster {

std::string errnoText(int error) {
    char buffer[128];
    return strerror_r(error, buffer, sizeof buffer);
}

std::string Error::text() const {
    if (!code) {
        return what;
    }
    return what + ": " + errnoText(code.value()) + " (" + std::to_string(code.value()) + ")";
}

}  // namespace muster
