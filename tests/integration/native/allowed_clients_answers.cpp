// Answers for allowed_clients_property.py: lines "LIST PEER" in, "1" or "0" out, by the real list.
#include <iostream>
#include <string>

#include "worker/allowed_clients.h"

int main() {
    std::string list;
    std::string peer;
    while (std::cin >> list >> peer) {
        const auto address = muster::worker::parsePeerAddress(peer);
        const muster::worker::AllowedClients clients(list);
        const bool valid = clients.problems().empty();
        std::cout << (!valid || !address ? 'x' : clients.contains(*address) ? '1' : '0') << '\n';
    }
    return 0;
}
