#pragma once

#include "state/container.h"

#include <gtest/gtest.h>

#include <string>

namespace runvm::state {

/// A container with every field set.
inline Container sample_container(const std::string& id) {
    Container container;
    container.id = id;
    container.status = Status::running;
    container.oci_version = "1.0.2";
    container.bundle = "/bundles/" + id;
    container.rootfs = "/bundles/" + id + "/rootfs";
    container.created_ns = 1'700'000'000'123'456'789;
    container.annotations = {{"io.kubernetes.cri.container-type", "sandbox"}, {"empty", ""}};
    container.owner = 1000;
    container.sandbox_id = "pod-" + id;
    container.sandbox_folder = "/run/runvm/@sandboxes/0123456789abcdef";
    container.creator = {101, 1001};
    container.shim = {102, 1002};
    container.shim_init = {103, 1003};
    container.reaper = {104, 1004};
    container.cgroup_folders = {{"", "/sys/fs/cgroup/unified/a b"},
                                {"cpu,cpuacct", "/sys/fs/cgroup/cpu/a b"}};
    container.cgroup_unit = "docker-abc.scope";
    container.machine_mib = 2048;
    container.config = R"({"ociVersion":"1.0.2"})";
    return container;
}

inline void expect_equal(const ProcessRef& a, const ProcessRef& b) {
    EXPECT_EQ(a.pid, b.pid);
    EXPECT_EQ(a.start_time, b.start_time);
}

inline void expect_equal(const Container& a, const Container& b) {
    EXPECT_EQ(a.id, b.id);
    EXPECT_EQ(a.status, b.status);
    EXPECT_EQ(a.oci_version, b.oci_version);
    EXPECT_EQ(a.bundle, b.bundle);
    EXPECT_EQ(a.rootfs, b.rootfs);
    EXPECT_EQ(a.created_ns, b.created_ns);
    EXPECT_EQ(a.annotations, b.annotations);
    EXPECT_EQ(a.owner, b.owner);
    EXPECT_EQ(a.sandbox_id, b.sandbox_id);
    EXPECT_EQ(a.sandbox_folder, b.sandbox_folder);
    expect_equal(a.creator, b.creator);
    expect_equal(a.shim, b.shim);
    expect_equal(a.shim_init, b.shim_init);
    expect_equal(a.reaper, b.reaper);
    EXPECT_EQ(a.cgroup_folders, b.cgroup_folders);
    EXPECT_EQ(a.cgroup_unit, b.cgroup_unit);
    EXPECT_EQ(a.machine_mib, b.machine_mib);
    EXPECT_EQ(a.config, b.config);
}

} // namespace runvm::state
