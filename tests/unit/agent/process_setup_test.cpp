#include "agent/process_setup.h"

#include "agent/capabilities.h"
#include "agent/scheduling.h"
#include "os/file.h"

#include <capnp/message.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

namespace runvm::agent {
namespace {

using Texts = std::vector<std::string>;

Result<Texts> merge(const Texts& entries) {
    capnp::MallocMessageBuilder message;
    auto list = message.initRoot<protocol::Process>().initEnv(static_cast<unsigned>(entries.size()));
    for (unsigned i = 0; i < entries.size(); ++i)
        list.set(i, entries[i].c_str());
    return merge_environment(list);
}

/// Runs in a child, whose changes of itself do not matter; 0 for success.
int in_child(const std::function<bool()>& body) {
    pid_t pid = ::fork();
    if (pid == 0)
        ::_exit(body() ? 0 : 1);
    int status = 0;
    ::waitpid(pid, &status, 0);
    return status;
}

TEST(Environment, KeepsTheLastValueAtTheFirstPlace) {
    EXPECT_EQ(*merge({"A=1", "B=2", "A=3=4", "C="}), (Texts{"A=3=4", "B=2", "C="}));
    EXPECT_FALSE(merge({"A"}));
    EXPECT_FALSE(merge({"=x"}));
}

TEST(Environment, FindsVariables) {
    Texts environment = {"PATHS=no", "PATH=/bin", "EMPTY="};
    EXPECT_STREQ(find_variable(environment, "PATH"), "/bin");
    EXPECT_STREQ(find_variable(environment, "EMPTY"), "");
    EXPECT_EQ(find_variable(environment, "PAT"), nullptr);
}

TEST(CpuList, IsParsed) {
    EXPECT_EQ(*parse_cpu_list("0-2,7"), (std::vector<unsigned>{0, 1, 2, 7}));
    EXPECT_EQ(*parse_cpu_list("5"), (std::vector<unsigned>{5}));
    for (const char* bad : {"", ",", "1,", "3-1", "a", "1-", "-1", "1024", "1 2"})
        EXPECT_FALSE(parse_cpu_list(bad)) << bad;
}

TEST(Capabilities, AreSetInAllSets) {
    if (::geteuid() != 0)
        GTEST_SKIP() << "needs root";
    EXPECT_EQ(in_child([] {
                  CapabilityMasks masks;
                  masks.bounding = 0x21; // chown, kill
                  masks.permitted = masks.inheritable = 0x21;
                  masks.effective = masks.ambient = 0x20;
                  if (!limit_bounding_set(masks) || !set_capabilities(masks))
                      return false;
                  Result<std::string> status = os::read_file("/proc/self/status");
                  for (const char* line :
                       {"CapInh:\t0000000000000021", "CapPrm:\t0000000000000021", "CapEff:\t0000000000000020",
                        "CapBnd:\t0000000000000021", "CapAmb:\t0000000000000020"})
                      if (status->find(line) == std::string::npos)
                          return false;
                  return true;
              }),
              0);
}

TEST(Capabilities, UnknownToTheKernelAreLeftOut) {
    if (::geteuid() != 0)
        GTEST_SKIP() << "needs root";
    EXPECT_EQ(in_child([] {
                  CapabilityMasks masks;
                  masks.bounding = ~uint64_t{0};
                  masks.permitted = masks.effective = (uint64_t{1} << 63U) | 1;
                  return limit_bounding_set(masks).ok() && set_capabilities(masks).ok();
              }),
              0);
}

} // namespace
} // namespace runvm::agent
