// A policy while its sources are read one after the other. Inside of read.cpp and its siblings.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "shim/policy/policy.h"
#include "shim/policy/report.h"

namespace ration::policy {

struct Draft {
    Policy policy;
    Diagnostics problems;
    bool site = false;              // the source that is being read
    std::optional<Place> defaults;  // of the [defaults] that counts
    bool has_no_match = false;
    std::vector<Place> locks;                  // of each locked = true
    std::map<std::string, Place> definitions;  // of "partition.x", "pool.x"
    bool incomplete = false;  // a source cannot be understood: what is missing may stand there
};

// Ranks beyond this are a mistake in a policy sooner than a node with so many GPU processes.
inline constexpr unsigned kMaxSlots = 1024;

inline constexpr const char* kUseAllowed = R"("ignore", "deny", "partition.NAME" or "pool.NAME")";

// [partition.x], [pool.x], [[rule]]: `value` is all of the top-level key.
void read_partitions(const std::string& key, const Value& value, Draft& draft, Report& report);
void read_pools(const std::string& key, const Value& value, Draft& draft, Report& report);
void read_rules(const std::string& key, const Value& value, Draft& draft, Report& report);

// The keys of a partition, which a pool shares.
const Key<Partition>* find_partition_key(std::string_view name);
std::vector<std::string> partition_key_names();

// A partition's table, whole: every mistake of it is reported. `name` and `title` are what messages
// call it: "partition.x", "[partition.x]".
Partition read_partition(const std::string& name, const std::string& title, const Entry& entry,
                         Report& report);

// Keys that exclude each other, in a partition or a pool.
void check_sizes(const Value& table, const std::string& name, Report& report);

// The words that a scope has, as written.
std::optional<Scope> read_scope(const std::string& key, const Value& value, Report& report);

// Why the processes of `scope` cannot share what the partition gives, and what is allowed; empty if
// they can.
std::string scope_mistake(Scope scope, const Partition& partition);

// A table that limits nothing, such as one in which only the mechanism is named.
void check_purpose(const Value& table, const std::string& name, Position where, Report& report);

// Where the value of a key stands that the table has.
using PlaceOf = std::function<Position(const char* key)>;

// The values must fit each other. `name`: of the partition, or of the pool it is a slot of.
void check_values(const Partition& partition, const std::string& name, const PlaceOf& place_of,
                  Report& report);

// Each table of [partition.*] or [pool.*] whose name is right and new.
void for_each_definition(const std::string& key, const Value& value, Draft& draft, Report& report,
                         void (*read)(const std::string& name, const Entry& entry, Draft& draft,
                                      Report& report));

// Where a process is sent. The name is looked up later, when all sources are read. nullopt after a
// report.
std::optional<Use> read_use(const std::string& key, const Value& value, Report& report);

}  // namespace ration::policy
