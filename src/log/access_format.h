// access.format: compiled once, rendered per request (spec logging.md §5).
//
// compile(): configuration time (master: to check; manager: to use). render(): worker, between
// script end and shutdown functions; never blocks, does not allocate once `line` is warm. Values
// are copied as they are, quotes too, but control characters become \xHH: one request is one line.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace muster::log {

/// What a line is made of. Null pointers mean "not there". Owned by the caller.
struct AccessFacts {
    const char* pool = "";
    const char* method = nullptr;
    const char* uri = nullptr;  ///< script name, not REQUEST_URI
    const char* query = nullptr;
    const char* script = nullptr;
    const char* user = nullptr;
    const char* peer = nullptr;  ///< address of the web server; null for unix sockets
    std::int64_t contentLength = 0;
    int status = 200;
    std::uint64_t durationNs = 0;
    std::uint64_t acceptedWallNs = 0;
    std::uint64_t nowWallNs = 0;
    std::uint64_t userCpuNs = 0;
    std::uint64_t systemCpuNs = 0;
    std::uint64_t memoryPeak = 0;
    int workerPid = 0;
    int masterPid = 0;
    /// FastCGI parameter by name, or null.
    const char* (*param)(const void* context, std::string_view name) = nullptr;
    /// Value of a response header (case-sensitive name), empty view when absent.
    std::string_view (*header)(const void* context, std::string_view name) = nullptr;
    const void* context = nullptr;
};

class AccessFormat {
  public:
    /// The error text is php-fpm's (spec logging.md §5.3).
    [[nodiscard]] static Result<AccessFormat> compile(std::string_view format);
    /// log.format = json: every fact of the request as an object (access_json.h), never cut.
    [[nodiscard]] static AccessFormat json();

    /// Appends one line, newline included, at most kMaxLine bytes; true when it was cut.
    /// An empty line appends nothing.
    bool render(const AccessFacts& facts, std::string& line) const;

    [[nodiscard]] bool needsCpu() const;  ///< shows CPU time: costs system calls per request

    static constexpr std::size_t kMaxLine = 1024;

  private:
    struct Piece {
        char token;        ///< 0: literal text
        std::string text;  ///< literal, or the %{…} modifier
        int unit = 0;      ///< what the modifier of %C, %d, %M means
    };
    static Result<Piece> makePiece(char token, std::string modifier);
    void addLiteral(char c);

    std::vector<Piece> pieces_;
    bool json_ = false;
};

}  // namespace muster::log
