// Writes man/ and completions/ below the folder that is its argument: see generated_files.h.

#include "cli/generated_files.h"

#include <cstdio>
#include <fstream>

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: %s <repository>\n", argv[0]);
        return 1;
    }
    for (const auto& file : runvm::cli::generated_files()) {
        const std::string path = std::string(argv[1]) + "/" + file.path;
        std::ofstream out(path, std::ios::binary | std::ios::trunc);
        out << file.contents;
        out.close();
        if (!out) {
            std::fprintf(stderr, "cannot write %s\n", path.c_str());
            return 1;
        }
    }
    return 0;
}
