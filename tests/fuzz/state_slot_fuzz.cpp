// A slot of a records file that another user wrote.
#include <algorithm>
#include <cstring>
#include <string>

#include "shim/host/utf8.h"
#include "shim/state/layout.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace ration::state;

constexpr std::size_t kHead = offsetof(Copy, body);

// Makes the copy at `bytes` one that its reader believes, if its size allows.
void mend(char* bytes, std::size_t copy_size) {
    std::uint32_t size = 0;
    std::memcpy(&size, bytes + offsetof(Copy, size), sizeof size);
    if (size > copy_size - kHead) return;
    const std::uint64_t checksum = checksum_of(bytes, size);
    std::memcpy(bytes + offsetof(Copy, checksum), &checksum, sizeof checksum);
}

void require_printable(std::string_view text) {
    while (!text.empty()) {
        const auto character = ration::host::first_character(text);
        const bool control =
            character.code < 0x20 || (character.code >= 0x7F && character.code < 0xA0);
        require(character.valid && !control, "text can be shown");
        text.remove_prefix(character.length);
    }
}

void look_at(const char* slot, std::size_t size) {
    Found found;
    if (decode(slot, size, found) != Content::kRecord) return;
    const Record& record = found.record;
    require(found.sequence != 0, "a record has a sequence");
    require(std::string_view(name(record.state)) != "unknown", "a record's state is known");
    for (const auto& text : {record.command, record.policy, record.partition, record.mechanism,
                             record.device, record.asked, record.granted, record.why}) {
        require_printable(text);
    }
    // What was read is what would be read again.
    char again[kSlotSize] = {};
    const Copy copy = encode(record, found.identity, found.sequence);
    std::memcpy(again, static_cast<const void*>(&copy), sizeof copy);
    Found twice;
    require(decode(again, sizeof again, twice) == Content::kRecord, "what is written can be read");
    require(twice.record.why == record.why && twice.record.device == record.device &&
                twice.identity.pid == found.identity.pid && twice.sequence == found.sequence,
            "a record stays as it is");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    FileHeader header{};
    std::memcpy(static_cast<void*>(&header), data, std::min(size, sizeof header));
    if (size >= sizeof header && unreadable(header).empty()) {
        require(header.slot_size <= kLargestSlot && header.slot_count <= kMostSlots, "bounds");
    }
    std::string slot(reinterpret_cast<const char*>(data), size);
    if (slot.size() / 2 < kHead) return 0;
    look_at(slot.data(), slot.size());
    // Most inputs end at the checksum: from here on it is right.
    mend(slot.data(), slot.size() / 2);
    mend(slot.data() + slot.size() / 2, slot.size() / 2);
    look_at(slot.data(), slot.size());
    return 0;
}
