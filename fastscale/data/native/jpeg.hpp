// Decodes the rows and columns of a JPEG file that a crop needs, with libjpeg-turbo; the pixels are
// those of the whole image, bit for bit. Rows above the crop are read but not computed; rows below
// are not read. `most` > 1: the decoder may halve (quarter, ...) an image whose crop stays at least
// as large as the output, which is faster and gives other pixels. `most` 0: decode the whole file,
// to find damage anywhere in it.
#pragma once
#include <csetjmp>
#include <cstdio>  // needed by jpeglib.h

#include <jpeglib.h>

#include "resize.hpp"

namespace fastscale {

class Jpeg {
  public:
    Jpeg() {
        info_.err = jpeg_std_error(&errors_.manager);
        errors_.manager.error_exit = [](j_common_ptr info) {
            std::longjmp(reinterpret_cast<Errors*>(info->err)->back, 1);
        };
        errors_.manager.emit_message = [](j_common_ptr info, int level) {
            if (level < 0) info->err->num_warnings++;
        };
        jpeg_create_decompress(&info_);
    }
    ~Jpeg() { jpeg_destroy_decompress(&info_); }
    Jpeg(const Jpeg&) = delete;

    // False if the data is damaged, or not an image of (height, width) pixels.
    bool crop(const uint8_t* data, size_t size, int height, int width, const int32_t* box, int most,
              Resize& resize, const Output& out) {
        errors_.manager.num_warnings = 0;
        volatile bool whole = false;  // keeps its value over a longjmp
        if (!setjmp(errors_.back))
            whole = decode(data, size, height, width, box, most, resize, out);
        jpeg_abort_decompress(&info_);
        return whole && errors_.manager.num_warnings == 0;
    }

  private:
    struct Errors {
        jpeg_error_mgr manager;
        std::jmp_buf back;
    } errors_;
    jpeg_decompress_struct info_;
    std::vector<uint8_t> rows_;  // a member: a jump over its destructor would leak

    bool decode(const uint8_t* data, size_t size, int height, int width, const int32_t* box,
                int most, Resize& resize, const Output& out) {
        jpeg_mem_src(&info_, data, size);
        jpeg_read_header(&info_, TRUE);
        if (int(info_.image_height) != height || int(info_.image_width) != width) return false;
        info_.out_color_space = JCS_EXT_RGB;
        info_.dct_method = JDCT_IFAST;  // as FFCV's decoder
        int part = 1;
        while (part < most && std::min(box[2], box[3]) >= 2 * part * out.side) part *= 2;
        info_.scale_denom = part;
        jpeg_start_decompress(&info_);

        double top = double(box[0]) / part, left = double(box[1]) / part;
        double tall = double(box[2]) / part, wide = double(box[3]) / part;
        int first = int(top), column = int(left);
        int last = std::min(int(std::ceil(top + tall)), int(info_.output_height));
        int end = std::min(int(std::ceil(left + wide)), int(info_.output_width));
        JDIMENSION from = std::max(column - 2, 0);  // neighbours, which chroma is blended from
        JDIMENSION columns = std::min(end + 2, int(info_.output_width)) - from;
        if (most == 0) from = 0;
        else if (columns < info_.output_width) jpeg_crop_scanline(&info_, &from, &columns);
        if (most && first) jpeg_skip_scanlines(&info_, first);

        const int together = 4;
        size_t length = size_t(info_.output_width) * 3 + 16;
        rows_.resize(length * together);
        JSAMPROW pointers[together];
        for (int k = 0; k < together; k++) pointers[k] = rows_.data() + k * length;
        resize.start(top - first, left - column, tall, wide, last - first, end - column, out);
        int stop = most ? last : int(info_.output_height);
        for (int row = most ? first : 0; row < stop;) {
            int read = jpeg_read_scanlines(&info_, pointers, std::min(together, stop - row));
            for (int k = 0; k < read; k++, row++)
                if (row >= first && row < last) resize.push(pointers[k] + (column - int(from)) * 3);
        }
        if (most == 0) jpeg_finish_decompress(&info_);
        return true;
    }
};

}  // namespace fastscale
