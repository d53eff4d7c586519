;;; drive.el --- Drives an Emacs without a screen  -*- lexical-binding: t; -*-

;; What a test wants to know goes to standard output, one line each: ["NAME", VALUE] as JSON.

(require 'cl-lib)
(require 'ert-x)
(require 'json)

(setq make-backup-files nil
      auto-save-default nil
      create-lockfiles nil
      coding-system-for-read 'utf-8
      coding-system-for-write 'utf-8)

(defun tell (name value)
  (princ (concat (json-encode (list name value)) "\n")))

(defun until (what condition)
  "Wait for CONDITION, a function, and give its value; WHAT it is says the failure."
  (let ((end (+ (float-time) 30)) (value nil))
    (while (not (setq value (funcall condition)))
      (when (> (float-time) end)
        (tell "failed" (format "waited in vain for %s; messages:\n%s" what
                               (with-current-buffer "*Messages*" (buffer-string))))
        (when (fboundp (quote lenses)) (tell "lenses" (lenses)))
        (kill-emacs 1))
      (accept-process-output nil 0.02))
    value))

(defun named (pattern)
  "The buffer whose name matches PATTERN."
  (cl-find-if (lambda (buffer) (string-match-p pattern (buffer-name buffer))) (buffer-list)))

(defun text-of (pattern)
  (with-current-buffer (until pattern (lambda () (named pattern)))
    (buffer-substring-no-properties (point-min) (point-max))))

(defun go-to (line text)
  "To TEXT in LINE."
  (goto-char (point-min))
  (forward-line (1- line))
  (search-forward text (line-end-position))
  (goto-char (match-beginning 0)))

(defun record-program ()
  "Record the program of this buffer, by the command that users have for it."
  (ao-record)
  (until "the end of the program"
         (lambda () (and (named "\\*compilation\\*")
                         (string-match-p "finished at" (text-of "\\*compilation\\*"))))))

(defvar asked nil "What the user was asked, the last one first.")

(defun answer (prompt choices &rest _)
  "Instead of asking the user: what is chosen most willingly."
  (push (substring-no-properties (format "%s" prompt)) asked)
  (let ((titles (mapcar (lambda (choice) (format "%s" (if (consp choice) (car choice) choice))) choices)))
    (or (cl-find-if (lambda (title) (string-match-p "Rerun\\|rerun\\|\\`yes" title)) titles)
        (car titles))))

(advice-add 'completing-read :override #'answer)
