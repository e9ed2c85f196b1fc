// Which request comes when: a function of seed and number, so that a run can be had again.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace muster::chaos {

enum class Kind { script, upload, download };

/// One sort of request: what is asked, how often beside the others.
struct Sort {
    std::string name;  ///< of the record; also the page's
    Kind kind = Kind::script;
    unsigned weight = 1;
    unsigned amount = 0;  ///< milliseconds a script takes; most bytes of a body
};

/// "name=weight" or "name=weight:amount"; an unknown name is an error.
struct SortText {
    std::string text;
    [[nodiscard]] bool read(Sort& sort) const;
};

struct Request {
    std::uint64_t id = 0;
    const Sort* sort = nullptr;  ///< borrowed from Arrivals
    const std::string* route = nullptr;
    std::uint64_t bytes = 0;  ///< of the body, either way
};

class Arrivals {
  public:
    /// `perSecond` > 0; neither list may be empty.
    Arrivals(double perSecond, std::uint64_t seed, std::vector<Sort> sorts,
             std::vector<std::string> routes);

    /// Since the first one.
    [[nodiscard]] std::chrono::nanoseconds due(std::uint64_t id) const;
    [[nodiscard]] Request request(std::uint64_t id) const;

  private:
    double perSecond_;
    std::uint64_t seed_;
    std::vector<Sort> sorts_;
    std::vector<std::string> routes_;
    unsigned weights_ = 0;
};

}  // namespace muster::chaos
