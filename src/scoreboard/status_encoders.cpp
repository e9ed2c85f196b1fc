// Values as text, JSON, XML, HTML and OpenMetrics.
#include "scoreboard/status_encoders.h"

#include <algorithm>
#include <charconv>
#include <cinttypes>
#include <cstdio>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/escape.h"

namespace muster::scoreboard {
namespace {

constexpr const char* kTimeFormat = "%d/%b/%Y:%H:%M:%S %z";

// The C library's formatting follows the locale that a script has set; these do not.
std::string twoDecimals(double value) {
    char digits[64];
    const auto end =
        std::to_chars(digits, digits + sizeof digits, value, std::chars_format::fixed, 2);
    return {digits, end.ptr};
}

std::string readableTime(std::uint64_t wallNs) {
    return formatLocalTime(static_cast<std::int64_t>(wallNs / kNsPerSecond), kTimeFormat);
}

constexpr char toLower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string lowered(std::string_view label) {
    std::string lower(label);
    std::transform(lower.begin(), lower.end(), lower.begin(), toLower);
    return lower;
}

/// The code point that starts at `text` and its length; nothing when that is not UTF-8.
struct CodePoint {
    std::uint32_t value;
    std::size_t length;
};
std::optional<CodePoint> decodeUtf8(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char lead = byte(0);
    const std::size_t length = lead < 0x80   ? 1
                               : lead < 0xC2 ? 0
                               : lead < 0xE0 ? 2
                               : lead < 0xF0 ? 3
                               : lead < 0xF5 ? 4
                                             : 0;
    if (length == 0 || text.size() < length) {
        return std::nullopt;
    }
    std::uint32_t value = length == 1 ? lead : lead & (0x7FU >> length);
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xC0U) != 0x80U) {
            return std::nullopt;
        }
        value = value << 6 | (byte(i) & 0x3FU);
    }
    const bool overlong = (length == 3 && value < 0x800) || (length == 4 && value < 0x10000);
    if (overlong || (value >= 0xD800 && value < 0xE000) || value > 0x10FFFF) {
        return std::nullopt;
    }
    return CodePoint{value, length};
}

/// Calls f(code point, its bytes) for all that is UTF-8; other bytes are dropped.
template <typename F>
void forEachCodePoint(std::string_view text, F&& f) {
    while (!text.empty()) {
        const auto point = decodeUtf8(text);
        if (point) {
            f(point->value, text.substr(0, point->length));
        }
        text.remove_prefix(point ? point->length : 1);
    }
}

// XML allows neither most control characters nor these two, not even as references.
std::string escapeMarkup(std::string_view value) {
    std::string markup;
    forEachCodePoint(value, [&](std::uint32_t point, std::string_view bytes) {
        if (point == '&') {
            markup += "&amp;";
        } else if (point == '<') {
            markup += "&lt;";
        } else if (point == '>') {
            markup += "&gt;";
        } else if (point == '"') {
            markup += "&quot;";
        } else if (isControl(bytes.front())) {
            appendEscaped(markup, bytes.front());
        } else if (point != 0xFFFE && point != 0xFFFF) {
            markup += bytes;
        }
    });
    return markup;
}

}  // namespace

// --- Text -----------------------------------------------------------------------------------

void TextEncoder::begin(std::string_view label) {
    constexpr std::size_t kColumn = 22;
    const std::size_t start = body_.size();
    body_ += label;
    body_ += ':';
    body_.append(kColumn - std::min(kColumn, body_.size() - start), ' ');
}

void TextEncoder::text(std::string_view label, std::string_view value) {
    begin(label);
    body_ += escaped(value);
    body_ += '\n';
}

void TextEncoder::number(std::string_view label, std::uint64_t value) {
    text(label, std::to_string(value));
}

void TextEncoder::time(std::string_view label, std::uint64_t wallNs) {
    text(label, readableTime(wallNs));
}

void TextEncoder::percent(std::string_view label, double value) {
    text(label, twoDecimals(value));
}

// --- JSON -----------------------------------------------------------------------------------

void JsonEncoder::open() {
    body_ += '{';
    first_ = true;
}

// php-fpm's JSON keys are the text labels in lower case.
void JsonEncoder::begin(std::string_view label) {
    if (!std::exchange(first_, false)) {
        body_ += ',';
    }
    body_ += '"' + lowered(label) + "\":";
}

void JsonEncoder::text(std::string_view label, std::string_view value) {
    begin(label);
    body_ += '"';
    forEachCodePoint(value, [this](std::uint32_t point, std::string_view) { encode(point); });
    body_ += '"';
}

void JsonEncoder::number(std::string_view label, std::uint64_t value) {
    begin(label);
    body_ += std::to_string(value);
}

void JsonEncoder::time(std::string_view label, std::uint64_t wallNs) {
    number(label, wallNs / kNsPerSecond);
}

void JsonEncoder::percent(std::string_view label, double value) {
    begin(label);
    body_ += twoDecimals(value);
}

void JsonEncoder::beginWorkers() {
    body_ += ", \"processes\":[";
    first_ = true;
}

void JsonEncoder::beginWorker() {
    if (!std::exchange(firstWorker_, false)) {
        body_ += ',';
    }
    open();
}

void JsonEncoder::encode(std::uint32_t point) {
    constexpr std::string_view kShort = "\"\"\\\\//\bb\ff\nn\rr\tt";
    for (std::size_t i = 0; i < kShort.size(); i += 2) {
        if (point == static_cast<unsigned char>(kShort[i])) {
            body_ += '\\';
            body_ += kShort[i + 1];
            return;
        }
    }
    if (point >= 0x20 && point < 0x80) {
        body_ += static_cast<char>(point);
    } else if (point < 0x10000) {
        unit(point);
    } else {
        unit(0xD800 + ((point - 0x10000) >> 10));
        unit(0xDC00 + ((point - 0x10000) & 0x3FF));
    }
}

void JsonEncoder::unit(std::uint32_t value) {
    char escaped[7];
    std::snprintf(escaped, sizeof escaped, "\\u%04" PRIx32, value & 0xFFFF);
    body_ += escaped;
}

// --- XML ------------------------------------------------------------------------------------

void XmlEncoder::element(std::string_view label, std::string_view content) {
    std::string name = lowered(label);
    std::replace(name.begin(), name.end(), ' ', '-');
    body_.append("<").append(name).append(">").append(content);
    body_.append("</").append(name).append(inWorker_ ? ">" : ">\n");
}

void XmlEncoder::text(std::string_view label, std::string_view value) {
    element(label, escapeMarkup(value));
}

void XmlEncoder::number(std::string_view label, std::uint64_t value) {
    element(label, std::to_string(value));
}

void XmlEncoder::time(std::string_view label, std::uint64_t wallNs) {
    number(label, wallNs / kNsPerSecond);
}

void XmlEncoder::percent(std::string_view label, double value) {
    element(label, twoDecimals(value));
}

void XmlEncoder::beginWorker() {
    inWorker_ = true;
    body_ += "<process>";
}

void XmlEncoder::endWorker() {
    inWorker_ = false;
    body_ += "</process>\n";
}

// --- HTML -----------------------------------------------------------------------------------

void HtmlEncoder::cell(std::string_view label, std::string_view content) {
    switch (place_) {
        case Place::pool:
            body_.append("<tr><th>").append(lowered(label)).append("</th><td>");
            body_.append(content).append("</td></tr>\n");
            break;
        case Place::headRow:
            body_.append("<th>").append(lowered(label)).append("</th>");
            break;
        case Place::row:
            body_.append("<td>").append(content).append("</td>");
            break;
    }
}

void HtmlEncoder::text(std::string_view label, std::string_view value) {
    cell(label, escapeMarkup(value));
}

void HtmlEncoder::number(std::string_view label, std::uint64_t value) {
    cell(label, std::to_string(value));
}

void HtmlEncoder::time(std::string_view label, std::uint64_t wallNs) {
    cell(label, readableTime(wallNs));
}

void HtmlEncoder::percent(std::string_view label, double value) {
    cell(label, twoDecimals(value));
}

void HtmlEncoder::beginPool() {
    body_ +=
        "<!DOCTYPE html PUBLIC \"-//W3C//DTD XHTML 1.0 Strict//EN\" "
        "\"http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd\">\n"
        "<html xmlns=\"http://www.w3.org/1999/xhtml\" xml:lang=\"en\" lang=\"en\">\n"
        "<head><title>PHP-FPM Status Page</title></head>\n"
        "<body>\n"
        "<table>\n";
}

void HtmlEncoder::beginWorkers() {
    body_ += "</table>\n<table border=\"1\">\n";
}

void HtmlEncoder::beginHeadRow() {
    place_ = Place::headRow;
    body_ += "<tr>";
}

void HtmlEncoder::endHeadRow() {
    body_ += "</tr>\n";
}

void HtmlEncoder::beginWorker() {
    place_ = Place::row;
    body_ += "<tr>";
}

void HtmlEncoder::endPool() {
    body_ += place_ == Place::pool ? "</table>\n</body></html>" : "</table></body></html>";
}

// --- OpenMetrics ----------------------------------------------------------------------------

std::string escapeOpenMetrics(std::string_view value) {
    std::string escaped;
    forEachCodePoint(value, [&](std::uint32_t point, std::string_view bytes) {
        if (point == '\\' || point == '"') {
            escaped += '\\';
            escaped += bytes;
        } else if (point == '\n') {
            escaped += "\\n";
        } else if (!isControl(bytes.front())) {
            escaped += bytes;
        }
    });
    return escaped;
}

}  // namespace muster::scoreboard
