#include "agent/executable.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

namespace runvm::agent {

namespace {

/// 0, or why the file cannot be executed.
int check_executable(const std::string& file) {
    struct stat info {};
    if (::stat(file.c_str(), &info) != 0)
        return errno;
    // As Go before 1.20: "is a directory" is for Docker until 20.10 an error of its own (125), not the user's
    // (126).
    if (S_ISDIR(info.st_mode))
        return EACCES;
    if (::faccessat(AT_FDCWD, file.c_str(), X_OK, AT_EACCESS) == 0)
        return 0;
    return errno;
}

/// Go's spelling of an errno: glibc's text begins with a capital.
std::string words(int errno_value) {
    std::string text = strerrordesc_np(errno_value);
    if (!text.empty() && text[0] >= 'A' && text[0] <= 'Z')
        text[0] = static_cast<char>(text[0] - 'A' + 'a');
    return text;
}

bool is_missing(int errno_value) {
    return errno_value == ENOENT || errno_value == ENOTDIR;
}

} // namespace

Result<std::string> find_executable(const std::string& name, const std::string& path) {
    std::string prefix = "exec: \"" + name + "\": ";
    if (name.find('/') != std::string::npos) {
        int failure = check_executable(name);
        if (failure == 0)
            return name;
        if (is_missing(failure))
            return Error(ErrorKind::command_not_found, prefix + "stat " + name + ": " + words(failure),
                         failure);
        return Error(ErrorKind::command_not_executable, prefix + words(failure), failure);
    }
    size_t begin = 0;
    while (!name.empty() && !path.empty() && begin <= path.size()) {
        size_t end = path.find(':', begin);
        if (end == std::string::npos)
            end = path.size();
        std::string folder = path.substr(begin, end - begin);
        begin = end + 1;
        std::string file = (folder.empty() ? "." : folder) + "/" + name;
        if (check_executable(file) != 0)
            continue;
        // Go 1.19: what is found through "." or a relative folder is an error, not a match.
        if (file[0] != '/')
            return Error(ErrorKind::command_not_found,
                         prefix + "cannot run executable found relative to current directory");
        return file;
    }
    return Error(ErrorKind::command_not_found, prefix + "executable file not found in $PATH");
}

std::string execve_words(const std::string& executable, int errno_value) {
    return "exec " + executable + ": " + words(errno_value);
}

} // namespace runvm::agent
