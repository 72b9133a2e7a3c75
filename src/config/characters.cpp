#include "config/characters.h"

namespace runvm::config {
namespace {

class Scanner {
public:
    explicit Scanner(std::string_view text) : text_(text) {
        if (text_.starts_with("\xef\xbb\xbf"))
            text_.remove_prefix(3); // a byte order mark is allowed
    }

    std::optional<unsigned> misplaced() {
        for (; at_ < text_.size(); ++at_) {
            char c = text_[at_];
            if (c == '\n') {
                ++line_;
                before_ = c;
                if (!is_multi_line_)
                    end();
            } else if (static_cast<unsigned char>(c) >= 0x80) {
                if (is_multi_line_ || (!is_comment_ && quote_ == 0))
                    return line_;
            } else if (quote_ != 0) {
                step_in_string(c);
            } else if (!is_comment_) {
                step_outside(c);
            }
        }
        return std::nullopt;
    }

private:
    void step_outside(char c) {
        if (c == '#') {
            is_comment_ = true;
        } else if ((c == '"' || c == '\'') && may_open_string()) {
            quote_ = c;
            is_multi_line_ = quotes_here() >= 3;
            if (is_multi_line_)
                at_ += 2;
        }
        if (c != ' ' && c != '\t')
            before_ = c;
    }

    /// A string stands where a key or a value begins. A quote within something else opens none for the
    /// parser.
    bool may_open_string() const {
        return std::string_view("\n=[{,.").find(before_) != std::string_view::npos;
    }

    void step_in_string(char c) {
        bool escapes = c == '\\' && quote_ == '"' && at_ + 1 < text_.size();
        if (escapes && (text_[at_ + 1] == '\\' || text_[at_ + 1] == '"')) {
            ++at_;
        } else if (c == quote_ && !is_multi_line_) {
            end();
        } else if (c == quote_ && quotes_here() >= 3) {
            at_ += quotes_here() - 1; // the string may end with two quotes of its own
            end();
        }
    }

    /// How many of the present quote stand here; a string is opened by three and ended by five at most.
    size_t quotes_here() const {
        size_t count = 0;
        while (count < 5 && at_ + count < text_.size() && text_[at_ + count] == quote_)
            ++count;
        return count;
    }

    void end() {
        quote_ = 0;
        is_multi_line_ = false;
        is_comment_ = false;
    }

    std::string_view text_;
    size_t at_ = 0;
    unsigned line_ = 1;
    char before_ = '\n'; ///< the last character outside of strings and comments that is not white space
    char quote_ = 0;     ///< that of the string this is in
    bool is_multi_line_ = false;
    bool is_comment_ = false;
};

} // namespace

std::optional<unsigned> line_of_misplaced_character(std::string_view text) {
    return Scanner(text).misplaced();
}

} // namespace runvm::config
