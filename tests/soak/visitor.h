// One client of the soak: connections, requests and the judgement of what comes back.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"
#include "fastcgi/client.h"

namespace muster::soak {

/// What one step of a client did: how many requests it sent, and what was wrong ("" when all is
/// well).
struct Outcome {
    unsigned requests = 1;
    std::string problem;
};

/// What must come back. A status of 0 stands for "the connection may end in any way".
struct Expected {
    int status = 200;
    std::string_view body = {};  ///< the whole body when `exact`, else a part of it
    bool exact = true;
};

class Visitor {
  public:
    Visitor(std::string address, std::string site, std::uint64_t seed, int timeoutSeconds);

    [[nodiscard]] std::uint64_t number(std::uint64_t below);
    [[nodiscard]] std::string noise(std::size_t bytes);

    /// A GET of a page as nginx would send it; the caller may change it.
    [[nodiscard]] fastcgi::ClientParams get(std::string_view page,
                                            std::string_view query = {}) const;
    [[nodiscard]] fastcgi::ClientParams post(std::string_view page, std::string_view type,
                                             std::size_t length) const;

    [[nodiscard]] Result<UniqueFd> connect() const;

    /// A request on a connection of its own.
    [[nodiscard]] std::string ask(const fastcgi::ClientParams& params, std::string_view body,
                                  const Expected& expected);
    /// A request on a connection that stays open.
    [[nodiscard]] std::string askOn(int fd, const fastcgi::ClientParams& params,
                                    std::string_view body, const Expected& expected, bool keep);

  private:
    std::string address_;
    std::string site_;
    std::mt19937_64 random_;
    int timeoutSeconds_;
};

/// What is wrong with a response, or "".
std::string judge(const fastcgi::ClientResponse& response, const Expected& expected);

}  // namespace muster::soak
