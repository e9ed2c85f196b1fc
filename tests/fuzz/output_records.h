// Checks what a server sent: whole records of the kinds servers send.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fastcgi/record.h"
#include "input.h"

namespace muster::fuzz {

struct OutputRecords {
    explicit OutputRecords(std::string_view bytes) {
        using fastcgi::RecordType;
        while (!bytes.empty()) {
            hold(bytes.size() >= fastcgi::kHeaderSize, "whole headers");
            const auto header =
                fastcgi::decodeHeader(std::as_bytes(std::span(bytes.data(), fastcgi::kHeaderSize))
                                          .first<fastcgi::kHeaderSize>());
            bytes.remove_prefix(fastcgi::kHeaderSize);
            const std::size_t size = std::size_t{header.contentLength} + header.paddingLength;
            hold(header.version == 1 && bytes.size() >= size && size % 8 == 0, "whole records");
            const std::string_view content = bytes.substr(0, header.contentLength);
            bytes.remove_prefix(size);
            if (header.type == RecordType::endRequest) {
                hold(content.size() == 8 &&
                         content.substr(0, 4) == std::string_view("\0\0\0\0", 4) &&
                         content.substr(5) == std::string_view("\0\0\0", 3),
                     "END_REQUEST leaks nothing");
                const auto status = static_cast<fastcgi::ProtocolStatus>(content[4]);
                if (status == fastcgi::ProtocolStatus::requestComplete) {
                    ends.push_back(header.requestId);
                } else {
                    hold(status == fastcgi::ProtocolStatus::cantMultiplex, "refused politely");
                    ++refused;
                }
            } else if (header.type == RecordType::getValuesResult) {
                hold(header.requestId == 0, "management records have no id");
                ++values;
            } else {
                hold((header.type == RecordType::stdOut || header.type == RecordType::stdErr) &&
                         !content.empty(),
                     "output");
                out += header.type == RecordType::stdOut ? content : std::string_view();
            }
        }
    }

    std::vector<std::uint16_t> ends;  ///< ids, in their order
    std::string out;
    unsigned refused = 0;
    unsigned values = 0;
};

}  // namespace muster::fuzz
