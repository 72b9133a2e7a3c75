#pragma once
// The commands against a monitor without a VM: its true process, sockets and state machine, the true shim,
// and a guest that is scripted by hypervisor.kernel_command_line (fake_monitor/main.cpp).

#include "../support/temporary_folder.h"
#include "oci/log.h"
#include "oci/spec_json.h"
#include "os/file.h"
#include "runtime/commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <csignal>
#include <filesystem>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

namespace runvm::runtime {

class CommandsTest : public testing::Test {
protected:
    void SetUp() override {
        if (::geteuid() != 0)
            GTEST_SKIP() << "needs root";
        namespace fs = std::filesystem;
        fs::create_directories(folder_.path() + "/libexec");
        fs::create_directories(folder_.path() + "/bundle/rootfs");
        std::string build = RUNVM_BINARY_DIR;
        fs::create_symlink(build + "/tests/fake-monitor", folder_.path() + "/libexec/runvm-monitor");
        for (const char* program : {"/runvm-reaper", "/runvm-shim"})
            fs::create_symlink(build + "/libexec/runvm" + program, folder_.path() + "/libexec" + program);
        auto config = nlohmann::ordered_json::parse(oci::default_spec());
        config["process"]["terminal"] = false;
        // One of its own for each test program: they run beside each other.
        config["linux"]["cgroupsPath"] = "/runvm-test-unit-" + std::to_string(::getpid());
        write_config(config.dump());

        context_.root = folder_.path() + "/root";
        context_.layout.libexec = folder_.path() + "/libexec";
        context_.layout.share = folder_.path();
        context_.config.hypervisor.accelerator = "tcg";
        context_.config.hypervisor.emulator = "/bin/true";
        context_.config.paths.run = folder_.path() + "/run";
        context_.config.paths.cache = folder_.path() + "/cache";
        context_.log = &log_;
        context_.store = state::open_filesystem_store(context_.root);
    }

    void TearDown() override {
        if (context_.store == nullptr)
            return;
        auto ids = context_.store->list();
        if (ids)
            for (const std::string& id : *ids)
                (void)remove(context_, id, true);
    }

    void script(const std::string& words) { context_.config.hypervisor.kernel_command_line = words; }

    void write_config(const std::string& text) {
        ASSERT_TRUE(
            os::write_file_atomically(folder_.path() + "/bundle/config.json", text, 0600, /*durable=*/false));
    }

    CreateOptions options() const {
        CreateOptions created;
        created.id = "c1";
        created.bundle = folder_.path() + "/bundle";
        return created;
    }

    RunOptions run_options() const {
        RunOptions options;
        static_cast<CreateOptions&>(options) = this->options();
        return options;
    }

    std::string status() {
        auto container = context_.store->load("c1");
        return container ? to_string(state::effective_status(*container)) : container.error().message();
    }

    bool becomes(const std::string& wanted) {
        for (int i = 0; i < 1000 && status() != wanted; ++i)
            ::usleep(10000);
        return status() == wanted;
    }

    /// No container and no sandbox.
    void expect_nothing_left() {
        EXPECT_EQ(status(), "container does not exist");
        std::error_code error;
        std::string sandboxes = context_.root + "/@sandboxes";
        for (const auto& entry : std::filesystem::directory_iterator(sandboxes, error))
            ADD_FAILURE() << entry.path() << " is left";
    }

    /// Runs the body in another process, as another command would be; its exit status.
    template <class Body>
    static pid_t in_another_process(Body body) {
        pid_t pid = ::fork();
        if (pid == 0)
            ::_exit(body());
        return pid;
    }

    static int exit_code_of(pid_t pid) {
        int status = 0;
        ::waitpid(pid, &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }

    test::TemporaryFolder folder_;
    oci::Log log_;
    Context context_;
};

} // namespace runvm::runtime
