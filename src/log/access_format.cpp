// Compiles and renders access.format.
#include "log/access_format.h"

#include <locale.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <utility>

#include "base/clock.h"
#include "base/escape.h"
#include "log/access_json.h"

namespace muster::log {
namespace {

constexpr std::size_t kMaxModifier = 128;
constexpr const char* kDefaultTime = "%d/%b/%Y:%H:%M:%S %z";

enum Unit { kDefault = 0, kUser, kSystem, kTotal, kSeconds, kMilli, kMicro, kByte, kKilo, kMega };

enum class Modifier { none, unit, name, time };

struct Token {
    char letter;
    Modifier modifier;
    const char* complaint;  ///< what is wrong with a modifier
};

constexpr const char* kNoModifier = "embrace is not allowed for modifier %";
constexpr std::array kTokens = {
    Token{'%', Modifier::none, kNoModifier},
    Token{'C', Modifier::unit, "only 'total', 'user' or 'system' are allowed as a modifier for %"},
    Token{'d', Modifier::unit,
          "only 'seconds', 'milli', 'milliseconds', 'micro' or 'microseconds' are allowed as a "
          "modifier for %"},
    Token{'e', Modifier::name,
          "the name of the environment variable must be set between embraces for %"},
    Token{'f', Modifier::none, kNoModifier},
    Token{'l', Modifier::none, kNoModifier},
    Token{'m', Modifier::none, kNoModifier},
    Token{'M', Modifier::unit,
          "only 'bytes', 'kilo', 'kilobytes', 'mega' or 'megabytes' are allowed as a modifier for "
          "%"},
    Token{'n', Modifier::none, kNoModifier},
    Token{'o', Modifier::name, "the name of the header must be set between embraces for %"},
    Token{'p', Modifier::none, kNoModifier},
    Token{'P', Modifier::none, kNoModifier},
    Token{'q', Modifier::none, kNoModifier},
    Token{'Q', Modifier::none, kNoModifier},
    Token{'r', Modifier::none, kNoModifier},
    Token{'R', Modifier::none, kNoModifier},
    Token{'s', Modifier::none, kNoModifier},
    Token{'t', Modifier::time, nullptr},
    Token{'T', Modifier::time, nullptr},
    Token{'u', Modifier::none, kNoModifier},
};

struct UnitName {
    char letter;
    std::string_view name;
    Unit unit;
};
constexpr std::array kUnits = {
    UnitName{'C', "", kTotal},        UnitName{'C', "user", kUser},
    UnitName{'C', "system", kSystem}, UnitName{'C', "total", kTotal},
    UnitName{'d', "", kSeconds},      UnitName{'d', "seconds", kSeconds},
    UnitName{'d', "milli", kMilli},   UnitName{'d', "milliseconds", kMilli},
    UnitName{'d', "mili", kMilli},    UnitName{'d', "miliseconds", kMilli},
    UnitName{'d', "micro", kMicro},   UnitName{'d', "microseconds", kMicro},
    UnitName{'M', "", kByte},         UnitName{'M', "bytes", kByte},
    UnitName{'M', "kilo", kKilo},     UnitName{'M', "kilobytes", kKilo},
    UnitName{'M', "mega", kMega},     UnitName{'M', "megabytes", kMega},
};

// Not the C library's: PHP code may have set another locale.
constexpr char toLower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool equalIgnoringCase(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](char x, char y) { return toLower(x) == toLower(y); });
}

const Token* findToken(char letter) {
    const auto* found = std::find_if(kTokens.begin(), kTokens.end(),
                                     [&](const Token& token) { return token.letter == letter; });
    return found == kTokens.end() ? nullptr : found;
}

// ---- rendering ----

/// The line under construction: never above the limit, knows when something did not fit.
class Line {
  public:
    explicit Line(std::string& text) : text_(&text), start_(text.size()) {}

    void append(std::string_view bytes) {
        const std::size_t fitting = std::min(bytes.size(), room_);
        text_->append(bytes.substr(0, fitting));
        room_ -= fitting;
        cut_ = cut_ || fitting < bytes.size();
    }

    /// What somebody else chose, its first `most` bytes.
    void appendValue(std::string_view value, std::size_t most = AccessFormat::kMaxLine) {
        for (const char c : value.substr(0, most)) {
            if (isControl(c)) {
                append({escape(c).data(), kEscapedSize});
            } else {
                append({&c, 1});
            }
        }
    }
    void appendValue(const char* value, std::size_t most, std::string_view otherwise) {
        const std::size_t length = value == nullptr ? 0 : ::strnlen(value, most);
        if (length == 0) {
            append(otherwise);
        } else {
            appendValue({value, length});
        }
    }

    template <typename Number>
    void appendNumber(Number value) {
        char digits[24];
        const auto end = std::to_chars(digits, digits + sizeof digits, value);
        append({digits, static_cast<std::size_t>(end.ptr - digits)});
    }
    void appendDecimal(double value, int decimals) {
        char digits[64];
        const auto end = std::to_chars(digits, digits + sizeof digits, value,
                                       std::chars_format::fixed, decimals);
        append({digits, static_cast<std::size_t>(end.ptr - digits)});
    }

    /// Ends the line, unless it is empty.
    bool finish() {
        if (text_->size() > start_) {
            *text_ += '\n';
        }
        return cut_;
    }

  private:
    std::string* text_;
    std::size_t start_;
    std::size_t room_ = AccessFormat::kMaxLine - 1;
    bool cut_ = false;
};

// English names whatever locale the running script has chosen.
locale_t plainLocale() {
    static const locale_t locale = ::newlocale(LC_ALL_MASK, "C", nullptr);
    return locale;
}

void appendTime(Line& line, std::uint64_t wallNs, const char* format) {
    const auto seconds = static_cast<time_t>(wallNs / kNsPerSecond);
    tm local{};
    ::localtime_r(&seconds, &local);
    char text[128];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    const std::size_t length = ::strftime_l(
        text, sizeof text, *format == '\0' ? kDefaultTime : format, &local, plainLocale());
#pragma GCC diagnostic pop
    line.appendValue({text, length});  // %n and %t are control characters
}

void appendCpu(Line& line, const AccessFacts& facts, int unit) {
    const std::uint64_t cpuNs =
        (unit == kSystem ? 0 : facts.userCpuNs) + (unit == kUser ? 0 : facts.systemCpuNs);
    const double wall = static_cast<double>(facts.durationNs);
    line.appendDecimal(wall > 0 ? static_cast<double>(cpuNs) / wall * 100 : 0, 2);
}

void appendDuration(Line& line, std::uint64_t ns, int unit) {
    if (unit == kMicro) {
        line.appendNumber(ns / 1000);
    } else {
        line.appendDecimal(static_cast<double>(ns) / (unit == kMilli ? 1e6 : 1e9), 3);
    }
}

void appendMemory(Line& line, std::uint64_t bytes, int unit) {
    line.appendNumber(unit == kMega ? bytes >> 20 : unit == kKilo ? bytes >> 10 : bytes);
}

void appendParam(Line& line, const AccessFacts& facts, const std::string& name) {
    const char* value = facts.param == nullptr ? nullptr : facts.param(facts.context, name);
    line.appendValue(value == nullptr ? std::string_view("-") : std::string_view(value));
}

void appendHeader(Line& line, const AccessFacts& facts, const std::string& name) {
    const std::string_view value =
        facts.header == nullptr ? std::string_view() : facts.header(facts.context, name);
    line.appendValue(value.empty() ? std::string_view("-") : value);
}

bool isSet(const char* text) {
    return text != nullptr && *text != '\0';
}

}  // namespace

Result<AccessFormat::Piece> AccessFormat::makePiece(char letter, std::string modifier) {
    const Token* token = findToken(letter);
    if (token == nullptr) {
        return plainError(std::string("Invalid token in the access.format (%") + letter + ")");
    }
    Piece piece{letter, std::move(modifier), kDefault};
    const std::string complaint =
        token->complaint == nullptr ? std::string() : std::string(token->complaint) + letter;
    switch (token->modifier) {
        case Modifier::none:
            if (!piece.text.empty()) {
                return plainError(complaint);
            }
            break;
        case Modifier::name:
            if (piece.text.empty()) {
                return plainError(complaint);
            }
            break;
        case Modifier::unit: {
            const auto* unit = std::find_if(kUnits.begin(), kUnits.end(), [&](const UnitName& u) {
                return u.letter == letter && equalIgnoringCase(u.name, piece.text);
            });
            if (unit == kUnits.end()) {
                return plainError(complaint + " ('" + piece.text + "')");
            }
            piece.unit = unit->unit;
            break;
        }
        case Modifier::time:
            break;
    }
    return piece;
}

void AccessFormat::addLiteral(char c) {
    if (pieces_.empty() || pieces_.back().token != 0) {
        pieces_.push_back({0, {}, kDefault});
    }
    pieces_.back().text += c;
}

Result<AccessFormat> AccessFormat::compile(std::string_view format) {
    AccessFormat compiled;
    while (!format.empty()) {
        if (format[0] != '%') {
            compiled.addLiteral(format[0]);
            format.remove_prefix(1);
            continue;
        }
        format.remove_prefix(1);
        std::string modifier;
        while (!format.empty() && format[0] == '{') {
            const std::size_t end = format.find('}');
            if (end == std::string_view::npos || end + 1 == format.size()) {
                return plainError("missing closing embrace in the access.format");
            }
            modifier = format.substr(1, std::min(end - 1, kMaxModifier));
            format.remove_prefix(end + 1);
        }
        // A lone percent sign at the end says nothing.
        if (!format.empty()) {
            auto piece = makePiece(format[0], std::move(modifier));
            if (!piece) {
                return tl::make_unexpected(piece.error());
            }
            if (piece->token == '%') {
                compiled.addLiteral('%');
            } else {
                compiled.pieces_.push_back(std::move(*piece));
            }
            format.remove_prefix(1);
        }
    }
    return compiled;
}

AccessFormat AccessFormat::json() {
    AccessFormat format;
    format.json_ = true;
    return format;
}

bool AccessFormat::needsCpu() const {
    return json_ || std::any_of(pieces_.begin(), pieces_.end(),
                                [](const Piece& piece) { return piece.token == 'C'; });
}

bool AccessFormat::render(const AccessFacts& facts, std::string& text) const {
    if (json_) {
        renderAccessJson(facts, text);
        return false;
    }
    Line line(text);
    for (const Piece& piece : pieces_) {
        switch (piece.token) {
            case 'C':
                appendCpu(line, facts, piece.unit);
                break;
            case 'd':
                appendDuration(line, facts.durationNs, piece.unit);
                break;
            case 'e':
                appendParam(line, facts, piece.text);
                break;
            case 'f':
                line.appendValue(facts.script, 255, "-");
                break;
            case 'l':
                line.appendNumber(facts.contentLength);
                break;
            case 'm':
                line.appendValue(facts.method, 15, "-");
                break;
            case 'M':
                appendMemory(line, facts.memoryPeak, piece.unit);
                break;
            case 'n':
                line.appendValue(facts.pool, 31, "");
                break;
            case 'o':
                appendHeader(line, facts, piece.text);
                break;
            case 'p':
                line.appendNumber(facts.workerPid);
                break;
            case 'P':
                line.appendNumber(facts.masterPid);
                break;
            case 'q':
                line.appendValue(facts.query, 511, "");
                break;
            case 'Q':
                line.append(isSet(facts.query) ? "?" : "");
                break;
            case 'r':
                line.appendValue(facts.uri, 127, "");
                break;
            case 'R':
                line.appendValue(facts.peer, 127, "-");
                break;
            case 's':
                line.appendNumber(facts.status);
                break;
            case 't':
                appendTime(line, facts.acceptedWallNs, piece.text.c_str());
                break;
            case 'T':
                appendTime(line, facts.nowWallNs, piece.text.c_str());
                break;
            case 'u':
                line.appendValue(facts.user, 31, "");
                break;
            default:
                line.append(piece.text);
                break;
        }
    }
    return line.finish();
}

}  // namespace muster::log
