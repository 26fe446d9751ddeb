// The keys of a partition that are about groups of SMs and who shares them.
#pragma once

#include <string>

#include "shim/policy/policy.h"
#include "shim/policy/report.h"

namespace ration::policy {

void read_sm_groups(const std::string& key, const Value& value, Partition& to, Report& report);
// Fills `devices` too: the keys of the table are the devices.
void read_device_share(const std::string& key, const Value& value, Partition& to, Report& report);
void read_granularity(const std::string& key, const Value& value, Partition& to, Report& report);
void read_exclusive(const std::string& key, const Value& value, Partition& to, Report& report);
void read_wait(const std::string& key, const Value& value, Partition& to, Report& report);
void read_partition_scope(const std::string& key, const Value& value, Partition& to,
                          Report& report);
void read_report(const std::string& key, const Value& value, Partition& to, Report& report);
void read_own_contexts(const std::string& key, const Value& value, Partition& to, Report& report);

}  // namespace ration::policy
