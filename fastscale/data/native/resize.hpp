// Resizes a box of an image to (side, side) pixels, as cv2.resize with INTER_AREA (framing.cut),
// and mirrors it on request. Rows are pushed from top to bottom.
#pragma once
#include "area.hpp"
#include "linear.hpp"

namespace fastscale {

class Resize {
  public:
    // The box in pixels of the (rows, columns) that will be pushed: whole rows and columns, unless
    // the JPEG decoder has shrunk them.
    void start(double top, double left, double height, double width, int rows, int columns,
               const Output& out) {
        out_ = out, row_ = 0;
        double down = 1.0 / (out.side / height), across = 1.0 / (out.side / width);
        down_ = int(std::lrint(down)), across_ = int(std::lrint(across));
        bool exact = top == 0 && left == 0 && rows == height && columns == width;
        bool whole = std::fabs(down - down_) < 2.2e-16 && std::fabs(across - across_) < 2.2e-16;
        if (exact && rows == out.side && columns == out.side) {
            way_ = COPY;
        } else if (exact && whole && down >= 1 && across >= 1) {
            way_ = BLOCKS;
            counts_.assign(size_t(out.side) * 3, 0);
        } else if (down >= 1 && across >= 1) {
            way_ = AREA;
            area.start(top, left, height, width, rows, columns, out);
        } else {
            way_ = LINEAR;
            linear.start(rows, columns, out);
        }
    }

    // Adds the next row, (columns, 3) uint8; one byte beyond it may be read.
    void push(const uint8_t* row) {
        int number = row_++;
        if (way_ == AREA) area.push(number, row);
        else if (way_ == LINEAR) linear.push(number, row);
        else if (way_ == BLOCKS) blocks(number, row);
        else copy(number, row);
    }

  private:
    enum { COPY, BLOCKS, AREA, LINEAR } way_;
    Output out_;
    int row_, down_, across_;
    std::vector<int> counts_;
    Area area;
    Linear linear;

    void copy(int number, const uint8_t* row) {
        if (!out_.flipped) std::memcpy(out_.row(number), row, size_t(out_.side) * 3);
        else for (int k = 0; k < out_.side; k++) std::memcpy(out_.at(number, k), row + k * 3, 3);
    }

    // A whole number of pixels for each output pixel: integers up to the last division.
    void blocks(int number, const uint8_t* row) {
        for (int k = 0; k < out_.side; k++)
            for (int i = 0; i < across_; i++, row += 3)
                for (int c = 0; c < 3; c++) counts_[k * 3 + c] += row[c];
        if ((number + 1) % down_) return;
        float share = 1.f / (down_ * across_);
        bool four = down_ == 2 && across_ == 2;  // OpenCV rounds halves up for four pixels
        for (int k = 0; k < out_.side; k++) {
            uint8_t* to = out_.at(number / down_, k);
            for (int c = 0; c < 3; c++) {
                int& sum = counts_[k * 3 + c];
                to[c] = uint8_t(four ? (sum + 2) >> 2 : std::lrint(float(sum) * share));
                sum = 0;
            }
        }
    }
};

}  // namespace fastscale
