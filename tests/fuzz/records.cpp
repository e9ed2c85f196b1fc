// Gives arbitrary bytes, cut into pieces, to the reader of requests, and asks the slow reference.
//
// Input: a byte that says how the stream is cut and handed from reader to reader, then the stream.
#include "input.h"
#include "support/streams/reference.h"
#include "support/streams/transcript.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace muster;
    fuzz::Input input(data, size);
    const unsigned cuts = input.byte();
    const std::string_view stream = input.rest();
    const std::string expected = fastcgi::streams::Reference(std::string(stream)).text();

    fastcgi::streams::Transcript transcript;
    // From a byte at a time to all at once; every second kind changes the reader between pieces.
    const bool handsOver = (cuts & 1U) != 0;
    unsigned dice = cuts;
    for (std::size_t at = 0; at < stream.size();) {
        dice = dice * 1103515245U + 12345U;
        const std::size_t length = 1 + (dice >> 16U) % (std::size_t{1} << (cuts >> 5U) * 2U);
        transcript.feed(stream.substr(at, length));
        at += length;
        if (handsOver && (dice >> 12U) % 8 == 0) {
            fuzz::hold(transcript.handOver(), "another reader takes over", transcript.text());
        }
    }
    if (transcript.text() != expected) {
        fuzz::broken("the reader and the reference disagree", expected, transcript.text());
    }
    return 0;
}
