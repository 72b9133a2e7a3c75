#pragma once
// The guest's initial RAM disk with a file of the sandbox's own behind it: the kernel unpacks one cpio
// archive after the other (Documentation/driver-api/early-userspace/buffer-format.rst). Unlike QEMU's and the
// kernel's command line, nobody else can read it.

#include "core/result.h"

#include <string>

namespace runvm::vm {

/// A cpio archive (newc) of one file that only root can read. `path`: without a leading "/"; its folder has
/// to be in an archive before.
std::string cpio_of_file(const std::string& path, const std::string& content);

/// Writes a copy of the RAM disk at `image_path` to `copy_path`, with `archive` behind it.
Result<void> copy_initrd_with(const std::string& image_path, const std::string& copy_path,
                              const std::string& archive);

} // namespace runvm::vm
