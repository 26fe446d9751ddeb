// The records file, byte for byte.
//
//   0                 FileHeader
//   kIndexOffset      int64 claimed[kSlotCount]: nanoseconds since the epoch; 0: never used
//   kSlotsOffset      slot 0, slot 1, ...; the file ends after the highest slot ever used
//
// A slot is one page and holds two copies of a record. The writer overwrites the older copy in one
// pwrite; a reader takes the newest copy whose checksum is right. So neither a reader in the middle
// of a write nor a writer killed in the middle of one ever loses the former record, which a
// sequence lock would. Nothing is mapped: a user who truncates the file cannot bring SIGBUS into a
// GPU program, and pages are used only for records that exist.
//
// The write lock (fcntl) on the first byte of a slot says that its writer lives.
//
// Changes that add fields at the end of Body keep kVersion: `size` says how far a writer knew them.
// Anything else raises kVersion, which is part of the file's name, so that an upgrade under a
// running job gets a file of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "shim/state/process.h"
#include "shim/state/record.h"

namespace ration::state {

inline constexpr char kMagic[8] = {'r', 'a', 't', 'i', 'o', 'n', '\n', '\0'};
inline constexpr std::uint32_t kVersion = 1;
inline constexpr char kFilePrefix[] = "records-";  // followed by kVersion
inline constexpr char kFileName[] = "records-1";
static_assert(kFileName[sizeof kFilePrefix - 1] == '0' + kVersion);
inline constexpr std::uint32_t kSlotCount = 1024;
inline constexpr std::uint32_t kSlotSize = 4096;
inline constexpr std::uint32_t kIndexOffset = 4096;
inline constexpr std::uint32_t kSlotsOffset = kIndexOffset + kSlotCount * 8;

// Bounds of what is read of others' files, which no honest one comes near.
inline constexpr std::uint32_t kMostSlots = 4 * kSlotCount;
inline constexpr std::uint32_t kLargestSlot = 4 * kSlotSize;

struct FileHeader {
    char magic[8];
    std::uint32_t version;
    std::uint32_t slot_count;
    std::uint32_t slot_size;  // bytes; a copy has half of it
    std::uint32_t index_offset;
    std::uint32_t slots_offset;
    std::uint32_t reserved;
};
static_assert(sizeof(FileHeader) == 32);

// Text is filled up with zeros and has no terminator when it fills its field.
struct Body {
    std::uint32_t pid;
    std::uint32_t uid;
    std::uint64_t start_ticks;
    std::uint64_t start_stack;
    std::uint64_t pid_namespace;
    std::int64_t started;
    std::uint64_t memory_quota;
    std::uint32_t state;
    std::uint32_t concurrent;
    char command[192];
    char policy[256];
    char partition[96];
    char mechanism[16];
    char device[672];  // sixteen UUIDs of forty characters, with commas
    char asked[64];
    char granted[128];
    char why[512];
    std::uint32_t memory_counted;
    std::uint32_t reserved;
};
static_assert(sizeof(Body) == 2000);
static_assert(offsetof(Body, command) == 56 && offsetof(Body, device) == 616 &&
              offsetof(Body, why) == 1480);

struct Copy {
    std::uint64_t sequence;  // 1, 2, ...; 0: never written
    std::uint32_t size;      // of `body` as its writer knew it
    std::uint32_t reserved;
    std::uint64_t checksum;  // FNV-1a of the fields above and of `size` bytes of body
    Body body;
};
static_assert(sizeof(Copy) == 2024 && sizeof(Copy) <= kSlotSize / 2);
static_assert(kSlotsOffset % kSlotSize == 0);

// A whole slot as read from a file; `slot_size` may be another than ours in a file of a newer
// ration.
struct Found {
    Record record;
    Identity identity;
    std::uint64_t sequence = 0;
};
enum class Content { kEmpty, kTorn, kUnknown, kRecord };  // kUnknown: a state of a newer ration
Content decode(const char* slot, std::size_t slot_size, Found& found);

// `record` with the identity of this process, ready to be written.
Copy encode(const Record& record, const Identity& identity, std::uint64_t sequence);

// FNV-1a of what Copy::checksum covers, of the copy at `copy` with a body of `body_size` bytes.
std::uint64_t checksum_of(const char* copy, std::size_t body_size);

FileHeader make_header();
// Empty if files with this header can be read, else what is wrong ("not a records file").
std::string unreadable(const FileHeader& header);

// At most `width` bytes of `text`, not ending within a UTF-8 sequence.
std::string_view cut(std::string_view text, std::size_t width);
// Valid UTF-8 without control characters: whatever is not becomes '?'.
std::string printable(std::string_view text);

}  // namespace ration::state
