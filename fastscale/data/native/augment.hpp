// The operations of AutoAugment and RandAugment on an image of (side, side, 3) uint8, bit for bit
// as augment/fast.py.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "lanes.hpp"

namespace fastscale {

enum Kind { TABLE, EQUALIZE, AUTOCONTRAST, BITS, MOVE, SHIFT_X, SHIFT_Y, COLOR, CONTRAST, SHARPEN };

// An operation at one value; pool.py fills it.
struct Op {
    int32_t kind;
    int32_t whole[12];   // BITS: threshold, mask; MOVE: six of 16.16; SHIFT: pixels; COLOR: 3 x 4
    float real[3];       // CONTRAST: factor; SHARPEN: of the picture, of the smooth one, constant
    uint8_t table[256];  // TABLE, BITS
};

class Augment {
  public:
    // Applies `count` operations in order.
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

    // These loops use locals: a byte written through a pointer could alias a member.
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

    // Merges operations that are tables: levels are counted once and looked up once.
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

    // Neighbouring pixels often have equal levels: four tables avoid waiting for the last count.
    void count_levels() {
        std::memset(counts_, 0, sizeof counts_);
        const uint8_t* p = pixels_;
        size_t i = 0, size = size_;
        for (; i + 12 <= size; i += 12) {
            const Four four(p + i);
            for (int k = 0; k < 4; k++)
                for (int c = 0; c < 3; c++) counts_[k][c][four.level(k, c)]++;
        }
        for (; i < size; i += 3)
            for (int c = 0; c < 3; c++) counts_[0][c][p[i + c]]++;
        for (int k = 1; k < 4; k++)
            for (int c = 0; c < 3; c++)
                for (int j = 0; j < 256; j++) counts_[0][c][j] += counts_[k][c][j];
    }

    void look_up() {
        uint32_t words[3][256];  // each with its byte at its place in a pixel
        for (int c = 0; c < 3; c++)
            for (int j = 0; j < 256; j++) words[c][j] = uint32_t(table_[c][j]) << 8 * c;
        uint8_t* p = pixels_;
        size_t i = 0, size = size_;
        for (; i + 12 <= size; i += 12) {
            const Four four(p + i);
            uint64_t pixel[4];
            for (int k = 0; k < 4; k++)
                pixel[k] = words[0][four.level(k, 0)] | words[1][four.level(k, 1)] |
                           words[2][four.level(k, 2)];
            uint64_t low = pixel[0] | pixel[1] << 24 | pixel[2] << 48;
            uint32_t high = uint32_t(pixel[2] >> 16 | pixel[3] << 8);
            std::memcpy(p + i, &low, 8);
            std::memcpy(p + i + 8, &high, 4);
        }
        for (; i < size; i += 3)
            for (int c = 0; c < 3; c++) p[i + c] = table_[c][p[i + c]];
    }

    // Four pixels, read at once (little-endian, as are all machines with AVX2 or NEON).
    struct Four {
        uint64_t low;
        uint32_t high;
        explicit Four(const uint8_t* p) { std::memcpy(&low, p, 8), std::memcpy(&high, p + 8, 4); }
        uint8_t level(int pixel, int channel) const {
            int k = pixel * 3 + channel;
            return k < 8 ? uint8_t(low >> 8 * k) : uint8_t(high >> 8 * (k - 8));
        }
    };

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

    // The nearest pixel in PIL's fixed point; grey if there is none. The pixels of a row that have
    // a source are contiguous, so the rest is filled with grey at once.
    void move(const int32_t* m) {
        std::memcpy(spare_.data(), pixels_, size_);
        const uint8_t* all = spare_.data();  // one byte beyond the image is read too
        const int side = side_;
        const int32_t right = m[0], down = m[3];
        for (int y = 0; y < side; y++) {
            int32_t column = m[1] * y + m[2], row = m[4] * y + m[5];
            int first = 0, end = side;
            inside(column, right, first, end);
            inside(row, down, first, end);
            uint8_t* line = pixels_ + size_t(y) * side * 3;
            if (first >= end) first = end = 0;
            std::memset(line, 128, size_t(first) * 3);
            std::memset(line + size_t(end) * 3, 128, size_t(side - end) * 3);
            column += right * first, row += down * first;
            uint8_t *to = line + size_t(first) * 3, *last = line + size_t(end) * 3 - 3;
            for (; to < last; to += 3, column += right, row += down)  // four bytes at a time
                std::memcpy(to, all + (size_t(row >> 16) * side + (column >> 16)) * 3, 4);
            if (first < end)
                std::memcpy(to, all + (size_t(row >> 16) * side + (column >> 16)) * 3, 3);
        }
    }

    // Narrows first .. end to those k with 0 <= (at + k * step) >> 16 < side.
    void inside(int64_t at, int64_t step, int& first, int& end) const {
        int64_t limit = int64_t(side_) << 16;  // 0 <= at + k * step < limit
        if (step == 0) {
            if (at < 0 || at >= limit) end = 0;
            return;
        }
        if (step < 0) step = -step, at = limit - 1 - at;  // mirrored
        int64_t from = at >= 0 ? 0 : (-at + step - 1) / step;
        int64_t stop = at >= limit ? 0 : (limit - 1 - at) / step + 1;
        first = int(std::max<int64_t>(first, std::min<int64_t>(from, side_)));
        end = int(std::min<int64_t>(end, stop));
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

    // As cv2.transform: fixed point with ten fractional bits.
    void color(const int32_t* given) {
        int32_t m[12];
        std::memcpy(m, given, sizeof m);
        uint8_t *p = pixels_, *end = pixels_ + size_;
#ifdef __AVX2__
        p = four_colors(p, end, m);
#endif
        for (; p < end; p += 3) {
            int r = p[0], g = p[1], b = p[2];
            for (int c = 0; c < 3; c++) {
                const int32_t* w = m + 4 * c;
                p[c] = uint8_t(std::clamp((r * w[0] + g * w[1] + b * w[2] + w[3]) >> 10, 0, 255));
            }
        }
    }

#ifdef __AVX2__
    // The same for four pixels at a time, while sixteen bytes can be read; returns the rest.
    // The matrix fits into 16 bits: factors of at most 2, with ten fractional bits.
    static uint8_t* four_colors(uint8_t* p, uint8_t* end, const int32_t* m) {
        alignas(32) int16_t pairs[2][16] = {};
        for (int k = 0; k < 2; k++)  // two pixels, four lanes each
            for (int c = 0; c < 3; c++)
                for (int i = 0; i < 2; i++) {
                    pairs[0][k * 8 + c * 2 + i] = int16_t(m[4 * c + i]);
                    pairs[1][k * 8 + c * 2 + i] = int16_t(m[4 * c + 2 + i]);
                }
        const __m256i first = _mm256_load_si256((const __m256i*)pairs[0]);
        const __m256i second = _mm256_load_si256((const __m256i*)pairs[1]);
        const char z = -1;
        const __m256i red_green = _mm256_setr_epi8(  // words: red, green, in every lane
            0, z, 1, z, 0, z, 1, z, 0, z, 1, z, z, z, z, z,  //
            3, z, 4, z, 3, z, 4, z, 3, z, 4, z, z, z, z, z);
        const __m256i blue = _mm256_setr_epi8(  // words: blue, nothing
            2, z, z, z, 2, z, z, z, 2, z, z, z, z, z, z, z,  //
            5, z, z, z, 5, z, z, z, 5, z, z, z, z, z, z, z);
        const __m256i one = _mm256_set1_epi32(1 << 16), six = _mm256_set1_epi8(6);
        const __m256i red_green2 = _mm256_adds_epu8(red_green, six);
        const __m256i blue2 = _mm256_adds_epu8(blue, six);
        const __m128i order = _mm_setr_epi8(0, 1, 2, 8, 9, 10, 4, 5, 6, 12, 13, 14, z, z, z, z);
        for (; p + 16 <= end; p += 12) {
            __m256i all = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i*)p));
            __m256i a = _mm256_madd_epi16(_mm256_shuffle_epi8(all, red_green), first);
            __m256i b = _mm256_or_si256(_mm256_shuffle_epi8(all, blue), one);
            __m256i c = _mm256_madd_epi16(_mm256_shuffle_epi8(all, red_green2), first);
            __m256i d = _mm256_or_si256(_mm256_shuffle_epi8(all, blue2), one);
            a = _mm256_srai_epi32(_mm256_add_epi32(a, _mm256_madd_epi16(b, second)), 10);
            c = _mm256_srai_epi32(_mm256_add_epi32(c, _mm256_madd_epi16(d, second)), 10);
            // words of pixels 0, 2 | 1, 3, then bytes 0, 2, 1, 3 of four each
            __m256i words = _mm256_packs_epi32(a, c);
            __m128i bytes = _mm_packus_epi16(_mm256_castsi256_si128(words),
                                             _mm256_extracti128_si256(words, 1));
            bytes = _mm_shuffle_epi8(bytes, order);
            _mm_storel_epi64((__m128i*)p, bytes);
            int32_t rest = _mm_extract_epi32(bytes, 2);
            std::memcpy(p + 8, &rest, 4);
        }
        return p;
    }
#endif

    void contrast(float factor) {
        uint32_t sums[3] = {0, 0, 0};  // of at most 4096 x 4096 pixels
        const uint8_t* p = pixels_;
        size_t i = 0, size = size_;
        Ints two = {};  // sums over every other pixel
        for (; i + 7 <= size; i += 6) two += two_pixels(p + i, p + i + 3);
        for (; i < size; i += 3)
            for (int c = 0; c < 3; c++) sums[c] += p[i + c];
        for (int c = 0; c < 3; c++) sums[c] += uint32_t(two[c]) + uint32_t(two[c + 4]);
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

    static Ints eight(const uint16_t* p) {
        typedef uint16_t Words __attribute__((vector_size(16)));
        Words words;
        std::memcpy(&words, p, 16);
        return __builtin_convertvector(words, Ints);
    }

    // The image blended with its 3 x 3 mean, as cv2.addWeighted; the border stays.
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
            size_t i = 3;
#ifdef __FMA__
            const Floats owns = Floats{} + own, means = Floats{} + mean;
            for (; i + 11 <= line; i += 8) {  // reads three sums more than it writes
                Ints sums9 = eight(sum + i - 3) + eight(sum + i) + eight(sum + i + 3);
                // division by 18, exact for sums up to 2295
                Floats smooth = as_floats(((2 * sums9 + 9) * 3641) >> 16);
                Bytes bytes;
                std::memcpy(&bytes, p + i, 8);
                Floats pixels = as_floats(__builtin_convertvector(bytes, Ints));
                Floats level = (Floats)_mm256_fmadd_ps(
                    (__m256)pixels, (__m256)owns,
                    _mm256_fmadd_ps((__m256)smooth, (__m256)means, _mm256_set1_ps(constant)));
                level = level < 0.f ? Floats{} : level;
                level = level > 255.f ? Floats{} + 255.f : level;
                uint64_t eight_bytes = as_bytes((Ints)(level + 8388608.0f) - 0x4B000000);
                std::memcpy(to + i, &eight_bytes, 8);
            }
#endif
            for (; i + 3 < line; i++) {
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
