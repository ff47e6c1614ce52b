// What AutoAugment and RandAugment do to a picture of (side, side, 3) uint8: the operations of
// augment/fast.py, the same to the bit.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

namespace fastscale {

enum Kind { TABLE, EQUALIZE, AUTOCONTRAST, BITS, MOVE, SHIFT_X, SHIFT_Y, COLOR, CONTRAST, SHARPEN };

// An operation at one value; operations.py fills it.
struct Op {
    int32_t kind;
    int32_t whole[12];   // BITS: threshold, mask; MOVE: six of 16.16; SHIFT: pixels; COLOR: 3 x 4
    float real[3];       // CONTRAST: factor; SHARPEN: of the picture, of the smooth one, constant
    uint8_t table[256];  // TABLE, BITS
};

class Augment {
  public:
    // Operations first .. first + count in order.
    void apply(uint8_t* pixels, int side, const Op* const* ops, int count) {
        side_ = side, size_ = size_t(side) * side * 3, pixels_ = pixels;
        spare_.resize(size_ + 4);
        for (int k = 0; k < count;) {
            int stop = k;
            while (stop < count && ops[stop]->kind <= BITS) stop++;
            if (stop == k) one(*ops[k++]);
            else if (stop == k + 1 && ops[k]->kind == BITS) bits(*ops[k++]);
            else tables(ops + k, stop - k), k = stop;
        }
    }

  private:
    int side_;
    size_t size_;
    uint8_t* pixels_;
    std::vector<uint8_t> spare_;
    uint32_t counts_[4][3][256];
    uint8_t table_[3][256];

    void one(const Op& op) {
        if (op.kind == MOVE) move(op.whole);
        else if (op.kind == SHIFT_X) shift_x(op.whole[0]);
        else if (op.kind == SHIFT_Y) shift_y(op.whole[0]);
        else if (op.kind == COLOR) color(op.whole);
        else if (op.kind == CONTRAST) contrast(op.real[0]);
        else sharpen(op.real);
    }

    // Locals, not members, in all these loops: a byte that is written might else be a member's.
    void bits(const Op& op) {
        uint8_t mask = uint8_t(op.whole[1]), *p = pixels_;
        size_t size = size_;
        int threshold = std::clamp(op.whole[0], 0, 256);
        if (threshold == 0)
            for (size_t i = 0; i < size; i++) p[i] = uint8_t(~p[i]) & mask;
        else if (threshold == 256)
            for (size_t i = 0; i < size; i++) p[i] &= mask;
        else
            for (size_t i = 0; i < size; i++)
                p[i] = (p[i] < uint8_t(threshold) ? p[i] : uint8_t(~p[i])) & mask;
    }

    // Operations that are tables, made one: levels are counted once, and looked up once.
    void tables(const Op* const* ops, int count) {
        bool measured = false;
        for (int k = 0; k < count; k++)
            measured |= ops[k]->kind == EQUALIZE || ops[k]->kind == AUTOCONTRAST;
        if (measured) count_levels();
        for (int c = 0; c < 3; c++) {
            uint8_t step[256];
            for (int i = 0; i < 256; i++) table_[c][i] = uint8_t(i);
            for (int k = 0; k < count; k++) {
                const uint8_t* next = ops[k]->table;
                if (ops[k]->kind == EQUALIZE || ops[k]->kind == AUTOCONTRAST) {
                    int64_t now[256] = {0};  // the counts after the operations so far
                    for (int i = 0; i < 256; i++) now[table_[c][i]] += counts_[0][c][i];
                    ops[k]->kind == EQUALIZE ? equalize(now, step) : autocontrast(now, step);
                    next = step;
                }
                for (int i = 0; i < 256; i++) table_[c][i] = next[table_[c][i]];
            }
        }
        look_up();
    }

    // Equal levels follow each other in a picture: four tables, so that none waits for the last.
    void count_levels() {
        std::memset(counts_, 0, sizeof counts_);
        const uint8_t* p = pixels_;
        size_t i = 0, size = size_;
        for (; i + 12 <= size; i += 12)
            for (int k = 0; k < 4; k++)
                for (int c = 0; c < 3; c++) counts_[k][c][p[i + 3 * k + c]]++;
        for (; i < size; i += 3)
            for (int c = 0; c < 3; c++) counts_[0][c][p[i + c]]++;
        for (int k = 1; k < 4; k++)
            for (int c = 0; c < 3; c++)
                for (int j = 0; j < 256; j++) counts_[0][c][j] += counts_[k][c][j];
    }

    void look_up() {
        const uint8_t *red = table_[0], *green = table_[1], *blue = table_[2];
        uint8_t* p = pixels_;
        for (size_t i = 0, size = size_; i < size; i += 3) {
            p[i] = red[p[i]];
            p[i + 1] = green[p[i + 1]];
            p[i + 2] = blue[p[i + 2]];
        }
    }

    static void equalize(const int64_t* counts, uint8_t* table) {
        int last = 255;
        int64_t total = 0;
        for (int i = 0; i < 256; i++) total += counts[i];
        while (last > 0 && counts[last] == 0) last--;
        int64_t step = (total - counts[last]) / 255, below = step / 2;
        for (int i = 0; i < 256; i++) {
            table[i] = uint8_t(step ? std::min<int64_t>(below / step, 255) : i);
            below += counts[i];
        }
    }

    static void autocontrast(const int64_t* counts, uint8_t* table) {
        int low = 0, high = 255;
        while (low < 255 && counts[low] == 0) low++;
        while (high > 0 && counts[high] == 0) high--;
        double scale = 255.0 / std::max(high - low, 1);
        for (int i = 0; i < 256; i++)
            table[i] = uint8_t(high > low ? std::clamp(int(i * scale + -low * scale), 0, 255) : i);
    }

    // The nearest pixel at coordinates in PIL's fixed point; grey where there is none.
    void move(const int32_t* m) {
        std::memcpy(spare_.data(), pixels_, size_);
        uint8_t* to = pixels_;
        const uint8_t* all = spare_.data();
        const unsigned side = unsigned(side_);
        const int32_t right = m[0], down = m[3];
        for (unsigned y = 0; y < side; y++) {
            int32_t column = m[1] * int(y) + m[2], row = m[4] * int(y) + m[5];
            for (unsigned x = 0; x < side; x++, column += right, row += down, to += 3) {
                unsigned a = unsigned(column >> 16), b = unsigned(row >> 16);
                bool inside = a < side && b < side;
                const uint8_t* from = all + (size_t(b) * side + a) * 3;
                if (inside) std::memcpy(to, from, 3);
                else std::memset(to, 128, 3);
            }
        }
    }

    void shift_y(int rows) {
        int gone = std::min(std::abs(rows), side_), line = side_ * 3;
        size_t kept = size_t(side_ - gone) * line, grey = size_t(gone) * line;
        std::memmove(pixels_ + (rows < 0 ? grey : 0), pixels_ + (rows > 0 ? grey : 0), kept);
        std::memset(pixels_ + (rows > 0 ? kept : 0), 128, grey);
    }

    void shift_x(int columns) {
        int gone = std::min(std::abs(columns), side_) * 3, kept = side_ * 3 - gone;
        for (int y = 0; y < side_; y++) {
            uint8_t* line = pixels_ + size_t(y) * side_ * 3;
            std::memmove(line + (columns < 0 ? gone : 0), line + (columns > 0 ? gone : 0), kept);
            std::memset(line + (columns > 0 ? kept : 0), 128, gone);
        }
    }

    // As cv2.transform: ten bits behind the point.
    void color(const int32_t* given) {
        int32_t m[12];
        std::memcpy(m, given, sizeof m);
        for (uint8_t *p = pixels_, *end = pixels_ + size_; p < end; p += 3) {
            int r = p[0], g = p[1], b = p[2];
            for (int c = 0; c < 3; c++) {
                int level = (r * m[4 * c] + g * m[4 * c + 1] + b * m[4 * c + 2] + m[4 * c + 3]) >> 10;
                p[c] = uint8_t(std::clamp(level, 0, 255));
            }
        }
    }

    void contrast(float factor) {
        uint32_t sums[3] = {0, 0, 0};  // of at most 4096 x 4096 pixels
        const uint8_t* p = pixels_;
        for (size_t i = 0, size = size_; i < size; i += 3)
            for (int c = 0; c < 3; c++) sums[c] += p[i + c];
        double n = double(size_ / 3);
        double grey = 19595 / 65536. * (sums[0] / n) + 38470 / 65536. * (sums[1] / n) +
                      7471 / 65536. * (sums[2] / n);
        float mean = float(int(grey + 0.5));
        for (int i = 0; i < 256; i++) {
            float level = mean + factor * (float(i) - mean);
            table_[0][i] = uint8_t(std::min(std::max(level, 0.f), 255.f));
        }
        std::memcpy(table_[1], table_[0], 256);
        std::memcpy(table_[2], table_[0], 256);
        look_up();
    }

    // The picture and the mean of nine pixels, weighted, as cv2.addWeighted; the border stays.
    void sharpen(const float* weights) {
        std::memcpy(spare_.data(), pixels_, size_);
        size_t line = size_t(side_) * 3;
        std::vector<uint16_t> sums(line);
        const float own = weights[0], mean = weights[1], constant = weights[2];
        for (int y = 1; y + 1 < side_; y++) {
            const uint8_t* p = spare_.data() + y * line;
            uint8_t* to = pixels_ + y * line;
            uint16_t* sum = sums.data();
            for (size_t i = 0; i < line; i++) sum[i] = uint16_t(p[i - line] + p[i] + p[i + line]);
            for (size_t i = 3; i + 3 < line; i++) {
                int smooth = (2 * (sum[i - 3] + sum[i] + sum[i + 3]) + 9) / 18;
                float level = std::fma(float(p[i]), own, std::fma(float(smooth), mean, constant));
                level = std::min(std::max(level, 0.f), 255.f) + 8388608.0f;  // halves to even
                uint32_t bits;
                std::memcpy(&bits, &level, 4);
                to[i] = uint8_t(bits);
            }
        }
    }
};

}  // namespace fastscale
