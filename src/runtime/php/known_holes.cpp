// The list of holes, with the first release of each branch that does not have them.
#include "runtime/php/known_holes.h"

#include <algorithm>
#include <iterator>

namespace muster::php {

namespace {

struct KnownHole {
    const char* identifier;
    const char* text;
    /// First sound release of each branch, oldest branch first. Older branches never became sound,
    /// newer ones were so from their start.
    long sound[4];
};

constexpr KnownHole kHoles[] = {
    {"CVE-2026-109618 and CVE-2026-109619",
     "a request that runs out of memory can leave its data to the next one on the same worker",
     {80235, 80336, 80427, 80512}},
};

constexpr long branchOf(long versionId) {
    return versionId / 100;
}

bool has(const KnownHole& hole, long versionId) {
    const auto* sound =
        std::find_if(std::begin(hole.sound), std::end(hole.sound),
                     [&](long release) { return branchOf(release) >= branchOf(versionId); });
    if (sound == std::end(hole.sound)) {
        return false;
    }
    return versionId < *sound;
}

std::string versionText(long versionId) {
    return std::to_string(versionId / 10000) + "." + std::to_string(versionId / 100 % 100) + "." +
           std::to_string(versionId % 100);
}

}  // namespace

std::vector<std::string> knownHoles(long versionId) {
    std::vector<std::string> found;
    for (const KnownHole& hole : kHoles) {
        if (has(hole, versionId)) {
            found.push_back("PHP " + versionText(versionId) + " has " + hole.identifier + ": " +
                            hole.text + "; update PHP, unless its packager has mended that");
        }
    }
    return found;
}

}  // namespace muster::php
